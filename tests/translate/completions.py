"""A whole Anthropic message as a chat completion, and what a client puts together from a streamed one."""

from collections.abc import Iterable
from typing import Any

from app.translate.chat_answer import ChatAnswer
from app.translate.chat_stream import Chunk
from app.translate.response import chat_completion, folded


def completion_of(message: dict[str, Any], answer: ChatAnswer) -> dict[str, Any]:
    """The completion for `message`; `answer` is a fresh one."""
    return chat_completion(answer, answer.read(message))


def completion_of_events(events: Iterable[dict[str, Any]], answer: ChatAnswer) -> dict[str, Any]:
    """The same of the events of a message."""
    told = [delta for event in events for delta in answer.feed(event)]
    return chat_completion(answer, [*told, *answer.end()])


def deltas(chunks: Iterable[Chunk]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def folded_chunks(chunks: list[Chunk]) -> dict[str, Any]:
    """The completion, but for its usage, that a client puts together from `chunks`, which must reach their finish."""
    (finish,) = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    choice = {name: value for name, value in finish.items() if name != "delta"}
    envelope = {name: chunks[0][name] for name in ("id", "created", "model")}
    return envelope | {"object": "chat.completion", "choices": [choice | {"message": folded(deltas(chunks))}]}
