"""A whole Anthropic message -> a chat completion. It goes through the stream translator, so both modes agree."""

from __future__ import annotations

from typing import Any

from app.translate.chat_stream import ChatStream, Chunk
from app.translate.message_events import message_events
from app.translate.usage import chat_usage

Message = dict[str, Any]


def chat_completion(message: Message, stream: ChatStream) -> dict[str, Any]:
    """The completion for `message`; `stream` is a fresh translator.

    Raises UpstreamRefusal if the message is an error in disguise, UpstreamBroken if it has no end.
    """
    chunks: list[Chunk] = []
    for event in message_events(message):
        chunks += stream.feed(event)
    chunks += stream.end()
    return folded(chunks, chat_usage(stream.final_usage()))


def folded(chunks: list[Chunk], usage: dict[str, Any] | None) -> dict[str, Any]:
    """The chat completion that a client would put together from `chunks`."""
    message: Message = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    texts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
    finish: Message = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        delta = choice["delta"]
        for name, pieces in texts.items():
            if delta.get(name):
                pieces.append(delta[name])
        for name in ("thinking_blocks", "annotations"):
            for item in delta.get(name, ()):
                item = {key: value for key, value in item.items() if key != "index"}
                message.setdefault(name, []).append(item)
        for call in delta.get("tool_calls", ()):
            _fold_call(message.setdefault("tool_calls", []), call)
        if "function_call" in delta:
            _fold_function(message.setdefault("function_call", {"arguments": ""}), delta["function_call"])
        if choice["finish_reason"]:
            finish = choice
    for name, pieces in texts.items():
        if pieces:
            message[name] = "".join(pieces)
    if message["content"] is None and not message.get("tool_calls") and not message.get("function_call"):
        message["content"] = ""
    own = {"provider_specific_fields": finish["provider_specific_fields"]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish["finish_reason"]} | own
    completion = {
        "id": chunks[0]["id"],
        "object": "chat.completion",
        "created": chunks[0]["created"],
        "model": chunks[0]["model"],
        "choices": [choice],
    }
    return completion | ({"usage": usage} if usage else {})


def _fold_call(calls: list[Message], delta: Message) -> None:
    if delta["index"] == len(calls):
        call = {key: value for key, value in delta.items() if key != "index"}
        calls.append(call | ({"function": dict(call["function"])} if "function" in call else {}))
    else:
        _fold_function(calls[delta["index"]]["function"], delta["function"])


def _fold_function(function: Message, delta: Message) -> None:
    for name, value in delta.items():
        function[name] = function.get(name, "") + value
