"""A whole Anthropic message as a chat completion, put together as the service does it: by way of its stream."""

from collections.abc import Iterable
from typing import Any

from app.translate.chat_stream import ChatStream, Chunk
from app.translate.message_events import message_events
from app.translate.response import folded
from app.translate.usage import chat_usage


def completion_of(message: dict[str, Any], stream: ChatStream) -> dict[str, Any]:
    """The completion for `message`; `stream` is a fresh translator."""
    return completion_of_events(message_events(message), stream)


def completion_of_events(events: Iterable[dict[str, Any]], stream: ChatStream) -> dict[str, Any]:
    """The same of the events of a message."""
    chunks: list[Chunk] = [chunk for event in events for chunk in stream.feed(event)]
    chunks += stream.end()
    return folded(chunks, chat_usage(stream.final_usage()))
