"""The events of an upstream answer, whether it came as a stream or as one JSON message."""

from __future__ import annotations

import json
from typing import Any

import orjson

from app.errors import InvalidRequest, UpstreamBroken
from app.json_body import dump_json
from app.sse import EventReader
from app.translate.message_events import message_events
from app.translate.surrogates import mended
from app.translate.upstream_error import error_in_disguise, read_error
from app.upstream import Answer

Event = dict[str, Any]
Message = dict[str, Any]
_BLANK = b"\xef\xbb\xbf\r\n\t "
"""Line ends, blanks and a byte order mark, which may stand before a body of either form."""


def is_stream(answer: Answer, start: bytes) -> bool:
    """Whether a body that begins with `start` is an event stream; some upstreams mislabel it, so the bytes decide."""
    start = start.lstrip(_BLANK)
    if start[:1] in (b"{", b"[", b"<"):
        return False
    return bool(start) or "event-stream" in answer.headers.get("content-type", "")


def message_of(body: bytes, answer: Answer) -> Message:
    """The message in a JSON body; some upstreams leave out an empty `content`.

    Raises UpstreamRefusal for an error sent with status 200, UpstreamBroken for what is no message.
    """
    return readable_message(body, answer)[0]


def readable_message(body: bytes, answer: Answer) -> tuple[Message, bytes]:
    """The message in a JSON body, and the body as every client reads it. Raises as `message_of` does."""
    value, body = loads(body)
    if error_in_disguise(value):
        raise read_error(answer.status, body, answer.headers)
    if not isinstance(value, dict) or not _has_content(value):
        raise UpstreamBroken("The upstream's answer is no message of the Messages API; check UPSTREAM_BASE.")
    return value, body


def _has_content(value: dict[str, Any]) -> bool:
    content = value.get("content")
    return isinstance(content, list) or (content is None and value.get("type") == "message")


def loads(body: bytes) -> tuple[Any, bytes]:
    """The value in an upstream's JSON body, and the body as every client reads it. Raises UpstreamBroken for no JSON.

    A byte order mark, halves of characters, NaN and control characters are mended.
    """
    try:
        return orjson.loads(body), body
    except orjson.JSONDecodeError:
        pass
    try:
        value = mended(json.loads(body.decode("utf-8-sig", "replace"), strict=False))
        return value, dump_json(value)
    except (ValueError, RecursionError, InvalidRequest):
        raise UpstreamBroken("The upstream's answer is not valid JSON; check UPSTREAM_BASE.") from None


class AnswerEvents:
    """The events of an upstream answer, `read()` by read until `ended`.

    No generator: each one that waits adds its C stack to what an open stream holds.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._reader: EventReader | None = None
        self._is_message = False
        self._body = bytearray()
        """What came until the bytes tell that they are a stream; all of it if they are not."""
        self.ended = False
        """Whether the bytes have ended, which need not be the end of the message."""

    def read(self) -> list[Event] | None:
        """The events of the next read; None when the client should be kept alive. Raises UpstreamError."""
        data = self._answer.read()
        if data is None:
            return None
        self.ended = not data
        if self._reader is None:
            self._body += data
            return self._begun()
        return self._reader.feed(data) if data else self._reader.end()

    def _begun(self) -> list[Event]:
        if not self._is_message:
            start = bytes(self._body)
            if not self.ended and not start.strip(_BLANK):
                return []
            if is_stream(self._answer, start):
                self._body.clear()
                self._answer.forget_headers()
                self._reader = EventReader()
                events = self._reader.feed(start)
                return events + self._reader.end() if self.ended else events
            self._is_message = True
        return list(message_events(message_of(bytes(self._body), self._answer))) if self.ended else []


def buffered(answer: Answer) -> Message | list[Event]:
    """An answer that was not asked to stream: its message, or the events of a stream that came all the same.

    Raises UpstreamError.
    """
    body = answer.body()
    if not is_stream(answer, body[:1024]):
        return message_of(body, answer)
    reader = EventReader()
    return [*reader.feed(body), *reader.end()]
