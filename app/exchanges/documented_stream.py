"""The bytes of a Messages stream -> the same bytes, but for the events that its clients could not read as they came."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.sse import EventReader, encode, encode_event, plain_event, split_frames
from app.translate.documented_events import CALLS, DocumentedEvents

Event = dict[str, Any]
Piece = tuple[bytes, Event | None]
"""Bytes for the client and the event that they hold; None: a comment, or lines of no event."""
GROWN: Event = {"type": "content_block_delta"}
"""Stands for all events of a piece in which nothing but text, thinking or input grows."""
_DELTA = (
    rb"event: content_block_delta\n"
    rb'data: \{"type":%(s)b"content_block_delta",%(s)b"index":%(s)b\1,%(s)b"delta":%(s)b'
    # Bounds, since a note is kept of each escape, and of a text without end each byte is given back again; and no half
    # of a surrogate pair.
    rb'\{"type":%(s)b"%(kind)b",%(s)b"%(name)b":%(s)b"[^"\\\x00-\x1f]{0,9999}'
    rb'(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})[^"\\\x00-\x1f]{0,9999}){0,99}"\} *\} *\n\n'
)


def _growth(kind: bytes, name: bytes) -> re.Pattern[bytes]:
    """One or more deltas as Anthropic writes them, with or without spaces, for the block whose index is group 1."""
    forms = [_DELTA % {b"s": space, b"kind": kind, b"name": name} for space in (b"", b" ")]
    return re.compile(rb'(?=[^,]*, ?"index": ?(\d+),)(?:%b|%b)+' % (*forms,))


_GROWTHS = {
    "text": _growth(b"text_delta", b"text"),
    "thinking": _growth(b"thinking_delta", b"thinking"),
    **dict.fromkeys(CALLS, _growth(b"input_json_delta", b"partial_json")),
}


class DocumentedStream:
    """`feed` whole events, in any number.

    Anthropic's SDKs skip an event without an `event:` line, or with another name in it, and fail on data that is no
    JSON or has no type. vLLM has left the lines out, and gateways do; z.ai cuts frames short.
    """

    def __init__(self) -> None:
        self._events = DocumentedEvents()
        self._reader = EventReader()
        self._read_all = False
        self._growing: tuple[str, int] | None = None

    def feed(self, whole: bytes) -> list[Piece]:
        """`whole` with its comments, as it came where that is documented; what can't be read at all is left out."""
        if self._read_all or b"\r" in whole or not _is_utf_8(whole):
            return [piece for frame in split_frames(whole) for piece in self._documented(frame)]
        pieces: list[Piece] = []
        start = 0
        while start < len(whole):
            end = self._end_of_growth(whole, start)
            if end:
                pieces.append((whole[start:end], GROWN))
            elif (end := whole.find(b"\n\n", start) + 2) >= 2:
                pieces += self._documented(whole[start:end])
            else:
                # One line end more than ends an event.
                break
            start = end
        return pieces

    def end(self, rest: bytes) -> list[Piece]:
        """`rest`, which came behind the last blank line, unless it is cut."""
        reader = EventReader()
        reader.feed(rest)
        return self.feed(rest.rstrip(b"\r\n") + b"\n\n") if reader.end() else []

    def _end_of_growth(self, whole: bytes, start: int) -> int:
        """Where the documented deltas for the newest block end that begin at `start`, told without parsing; or 0."""
        kind, position = self._growing or ("", 0)
        match = _GROWTHS[kind].match(whole, start) if kind in _GROWTHS else None
        return match.end() if match and match[1] == b"%d" % position else 0

    def _documented(self, frame: bytes) -> list[Piece]:
        # An upstream may have put the other half of a character into another delta.
        self._read_all = self._read_all or b"\\ud" in frame or b"\\uD" in frame
        event = None if self._read_all else plain_event(_with_plain_ends(frame).removesuffix(b"\n\n"))
        pieces = self._odd(frame) if event is None else self._kept(frame, event)
        self._growing = self._events.growing
        return pieces

    def _kept(self, frame: bytes, event: Event) -> list[Piece]:
        """`frame`, which holds `event`, if that is as documented; else what stands for it."""
        events = self._events.feed(event)
        if len(events) == 1 and events[0] is event:
            return [(_named(frame, event), event)]
        return [(_written(documented), documented) for documented in events]

    def _odd(self, frame: bytes) -> list[Piece]:
        """A frame in several lines, with halves of characters, or broken."""
        read = self._reader.feed(frame)
        if not read:
            return [] if _data(frame) else [(frame, None)]
        if len(read) == 1 and (_is_readable(frame, read[0]) or not _is_nameable(read[0])):
            return self._kept(frame, read[0])
        return [(_written(documented), documented) for event in read for documented in self._events.feed(event)]


def _is_utf_8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _with_plain_ends(frame: bytes) -> bytes:
    return frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in frame else frame


def _is_nameable(event: Event) -> bool:
    """Whether its type can stand in an `event:` line."""
    return str(event["type"]).isidentifier()


def _written(event: Event) -> bytes:
    return encode_event(event) if _is_nameable(event) else encode(event)


def _data(frame: bytes) -> list[bytes]:
    return [line[5:] for line in frame.splitlines() if line.startswith(b"data:")]


def _named(frame: bytes, event: Event) -> bytes:
    """`frame`, which holds `event`, with its name in an `event:` line."""
    name = str(event["type"]).encode("utf-8", "replace")
    if frame.startswith(b"event: %b\n" % name):
        return frame
    names = [line[6:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"event:")]
    if names == [name] or not _is_nameable(event):
        return frame
    return encode_event(event) if names else b"event: %b\n%b" % (name, frame.lstrip(b"\r\n"))


def _is_readable(frame: bytes, event: Event) -> bool:
    """Whether the data of `frame` is `event` as it stands."""
    try:
        return bool(orjson.loads(b"\n".join(_data(frame))) == event)
    except orjson.JSONDecodeError:
        return False
