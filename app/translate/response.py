"""The deltas of a chat completion -> the whole one, so that both modes agree."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from app.translate.answer_blocks import Block
from app.translate.chat_answer import ChatAnswer, Estimate
from app.translate.usage import chat_usage

Message = dict[str, Any]
_LISTS = ("thinking_blocks", "annotations")
_TEXTS = ("content", "reasoning_content", "refusal")


def chat_completion(answer: ChatAnswer, deltas: Iterable[Block], estimate: Estimate | None = None) -> dict[str, Any]:
    """The completion whose message came as `deltas` from `answer`, up to its end."""
    choice = {"index": 0, "message": folded(deltas), "logprobs": None, **answer.finish}
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.form.model,
        "choices": [choice],
        "usage": chat_usage(answer.final_usage(estimate)),
    }


def folded(deltas: Iterable[Block]) -> Message:
    """The message that a client would put together from `deltas`."""
    told = _pieces(deltas)
    message: Message = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    for name in _LISTS:
        if name in told:
            message[name] = [_without_index(item) for items in told[name] for item in items]
    for name in _TEXTS:
        if name in told:
            message[name] = "".join(told[name])
    if "tool_calls" in told:
        message["tool_calls"] = _whole_calls(told["tool_calls"])
    if "function_call" in told:
        message["function_call"] = _whole_function(told["function_call"])
    if message["content"] is None and "tool_calls" not in told and "function_call" not in told:
        message["content"] = ""
    return message


def _pieces(deltas: Iterable[Block]) -> dict[str, list[Any]]:
    """The pieces of each field, in order; they are joined once, at the end, for there may be very many."""
    told: dict[str, list[Any]] = {}
    for delta in deltas:
        for name, value in delta.items():
            if value:
                told.setdefault(name, []).append(value)
    return told


def _without_index(item: Block) -> Block:
    return {name: value for name, value in item.items() if name != "index"}


def _whole_calls(pieces: list[list[Block]]) -> list[Block]:
    """The first piece of each call begins it; all bring some of its arguments."""
    begun: list[Block] = []
    arguments: list[list[str]] = []
    for piece in chain.from_iterable(pieces):
        if piece["index"] == len(begun):
            begun.append(piece)
            arguments.append([])
        arguments[piece["index"]].append(
            piece["custom"]["input"] if "custom" in piece else piece["function"]["arguments"]
        )
    return [_whole_call(call, "".join(texts)) for call, texts in zip(begun, arguments, strict=True)]


def _whole_call(begun: Block, arguments: str) -> Block:
    kind = begun["type"]
    field = "input" if kind == "custom" else "arguments"
    return {"id": begun["id"], "type": kind, kind: {"name": begun[kind]["name"], field: arguments}}


def _whole_function(pieces: list[Block]) -> Block:
    return {"name": pieces[0]["name"], "arguments": "".join(piece["arguments"] for piece in pieces)}
