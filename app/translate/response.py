"""The chunks of a streamed chat completion -> the whole one, so that both modes agree."""

from __future__ import annotations

from typing import Any

from app.translate.chat_stream import Chunk

Message = dict[str, Any]


def folded(chunks: list[Chunk], usage: dict[str, Any] | None) -> dict[str, Any]:
    """The chat completion that a client would put together from `chunks`, which must reach their finish_reason."""
    message = _FoldedMessage()
    finish: Chunk = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        message.add(choice["delta"])
        if choice["finish_reason"]:
            finish = choice
    completion = {
        "id": chunks[0]["id"],
        "object": "chat.completion",
        "created": chunks[0]["created"],
        "model": chunks[0]["model"],
        "choices": [
            {
                "index": 0,
                "message": message.whole(),
                "logprobs": None,
                "finish_reason": finish["finish_reason"],
                "provider_specific_fields": finish["provider_specific_fields"],
            }
        ],
    }
    return completion | ({"usage": usage} if usage else {})


class _FoldedMessage:
    """The message that deltas add up to. Pieces are joined once, at the end: there may be very many."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
        self._lists: dict[str, list[Message]] = {"annotations": []}
        self._calls: list[tuple[Message, list[str]]] = []
        self._function: tuple[Message, list[str]] | None = None

    def add(self, delta: Message) -> None:
        for name, pieces in self._texts.items():
            if delta.get(name):
                pieces.append(delta[name])
        for name in ("thinking_blocks", "annotations"):
            for item in delta.get(name, ()):
                bare = {key: value for key, value in item.items() if key != "index"}
                self._lists.setdefault(name, []).append(bare)
        for call in delta.get("tool_calls", ()):
            self._add_call(call)
        if "function_call" in delta:
            self._function = self._function or (delta["function_call"], [])
            self._function[1].append(delta["function_call"]["arguments"])

    def _add_call(self, delta: Message) -> None:
        if delta["index"] == len(self._calls):
            self._calls.append((delta, []))
        pieces = self._calls[delta["index"]][1]
        pieces.append(delta["custom"]["input"] if "custom" in delta else delta["function"]["arguments"])

    def whole(self) -> Message:
        message: Message = {"role": "assistant", "content": None, "refusal": None, **self._lists}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items() if pieces}
        if self._calls:
            message["tool_calls"] = [_whole_call(begun, "".join(pieces)) for begun, pieces in self._calls]
        if self._function:
            begun, pieces = self._function
            message["function_call"] = {"name": begun["name"], "arguments": "".join(pieces)}
        if message["content"] is None and not self._calls and not self._function:
            message["content"] = ""
        return message


def _whole_call(begun: Message, arguments: str) -> Message:
    kind = begun["type"]
    field = "input" if kind == "custom" else "arguments"
    return {"id": begun["id"], "type": kind, kind: {"name": begun[kind]["name"], field: arguments}}
