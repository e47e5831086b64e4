"""The events of an upstream answer, whether it came as a stream or as one JSON message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from app.errors import UpstreamBroken
from app.sse import EventReader
from app.translate.error_body import error_in_disguise, read_error
from app.translate.message_events import message_events
from app.translate.surrogates import mended
from app.upstream import Answer

Event = dict[str, Any]
Message = dict[str, Any]


def is_stream(answer: Answer, start: bytes) -> bool:
    """Whether a body that begins with `start` is an event stream; some upstreams mislabel it, so the bytes decide."""
    start = start.lstrip(b"\xef\xbb\xbf\r\n\t ")
    if start[:1] == b"{":
        return False
    return bool(start) or "event-stream" in answer.headers.get("content-type", "")


def message_of(body: bytes, answer: Answer) -> Message:
    """The message in a JSON body. Raises UpstreamRefusal for an error sent with status 200, UpstreamBroken for no JSON."""
    value = loads(body)
    if error_in_disguise(value):
        raise read_error(answer.status, body, answer.headers)
    if not isinstance(value, dict) or not isinstance(value.get("content"), list):
        raise UpstreamBroken("The upstream's answer is no message of the Messages API; check UPSTREAM_BASE.")
    return value


def loads(body: bytes) -> Any:
    """The value in an upstream's JSON body; half surrogate pairs are mended. Raises UpstreamBroken for no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return mended(json.loads(body))
    except (ValueError, RecursionError):
        raise UpstreamBroken("The upstream's answer is not valid JSON.") from None


def answer_events(answer: Answer) -> Iterator[list[Event] | None]:
    """The events of each read in turn; None when the client should be kept alive.

    Raises UpstreamError; ends when the bytes do, which need not be the end of the message.
    """
    start = answer.read()
    while start is None:
        yield None
        start = answer.read()
    if not is_stream(answer, start):
        yield list(message_events(message_of(start + answer.body(), answer)))
        return
    reader = EventReader()
    data: bytes | None = start
    while data != b"":
        yield reader.feed(data) if data else None
        data = answer.read()
    yield reader.end()


def buffered_events(answer: Answer) -> list[Event]:
    """All events of an answer that was not asked to stream. Raises UpstreamError."""
    body = answer.body()
    if not is_stream(answer, body[:64]):
        return list(message_events(message_of(body, answer)))
    reader = EventReader()
    return [*reader.feed(body), *reader.end()]
