"""The bytes of a Messages stream -> the same bytes, but for the events that its clients could not read as they came."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.sse import EventReader, encode_event, plain_event, split_frames
from app.translate.documented_events import DocumentedEvents

Event = dict[str, Any]
_DELTAS = {"text": rb"(?:text|citations)_delta", "thinking": rb"(?:thinking|signature)_delta"}
_GROWTH = rb"""(?x:
    event:\ content_block_delta\n
    data:\ \{"type":\ ?"content_block_delta",\ ?"index":\ ?\d+,\ ?"delta":\ ?\{"type":\ ?"%b"[^\n]*\}\ *\}\ *\n\n
)+"""
_GROWTHS = {kind: re.compile(_GROWTH % deltas) for kind, deltas in _DELTAS.items()}
_OTHER_GROWTH = re.compile(_GROWTH % rb"[a-z_]+")
"""Any number of deltas as Anthropic writes them, for a block of this type or of another."""


class DocumentedStream:
    """`feed` whole events, in any number.

    Anthropic's SDKs skip an event without an `event:` line, or with another name in it, and fail on data that is no
    JSON or has no type. vLLM has left the lines out, and gateways do; z.ai cuts frames short.
    """

    def __init__(self) -> None:
        self._events = DocumentedEvents()
        self._reader = EventReader()
        self._read_all = False
        self.only_grew = False
        """Whether nothing but deltas was fed last."""

    def feed(self, whole: bytes) -> bytes:
        """`whole` with its comments; what can't be read at all is left out."""
        self.only_grew = self._only_grows(whole)
        return whole if self.only_grew else b"".join(map(self._documented, split_frames(whole)))

    def _only_grows(self, whole: bytes) -> bool:
        """Whether `whole` is nothing but documented deltas for blocks that are open, told without parsing them."""
        kind = self._events.growing
        return (
            kind is not None
            and not self._read_all
            and _GROWTHS.get(kind, _OTHER_GROWTH).fullmatch(whole) is not None
            # Neither two events glued together nor half a character; in text either only costs a closer look.
            and whole.count(b"data:") * 3 == whole.count(b"\n")
            and b"\\u" not in whole
            and _is_utf_8(whole)
        )

    def _documented(self, frame: bytes) -> bytes:
        self._read_all = self._read_all or _has_surrogates(frame)
        event = None if self._read_all else plain_event(frame.removesuffix(b"\n\n"))
        if event is None:
            return self._odd(frame)
        events = self._events.feed(event)
        if len(events) == 1 and events[0] is event:
            return _named(frame, event)
        return _encoded(events, frame)

    def _odd(self, frame: bytes) -> bytes:
        """A frame in several lines, with other line ends, with halves of characters, or broken."""
        read = self._reader.feed(frame)
        if not read and not _data(frame):
            return frame
        events = [documented for event in read for documented in self._events.feed(event)]
        same = len(events) == len(read) == 1 and events[0] is read[0]
        return _named(frame, read[0]) if same and _is_readable(frame, read[0]) else _encoded(events, frame)


def _is_utf_8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_surrogates(data: bytes) -> bool:
    """Whether escaped surrogates stand in `data`; an upstream may have put the other half into another delta."""
    return b"\\ud" in data or b"\\uD" in data


def _name(event: Event) -> bytes:
    return str(event["type"]).encode("utf-8", "replace")


def _encoded(events: list[Event], frame: bytes) -> bytes:
    """`events` as Anthropic writes them; `frame` as it came if there is one that can't be named in a line."""
    return b"".join(map(encode_event, events)) if all(str(e["type"]).isidentifier() for e in events) else frame


def _data(frame: bytes) -> list[bytes]:
    return [line[5:] for line in frame.splitlines() if line.startswith(b"data:")]


def _named(frame: bytes, event: Event) -> bytes:
    """`frame`, which holds `event`, with its name in an `event:` line."""
    name = _name(event)
    if frame.startswith(b"event: %b\n" % name):
        return frame
    names = [line[6:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"event:")]
    if names == [name] or not name.decode().isidentifier():
        return frame
    return _encoded([event], frame) if names else b"event: %b\n%b" % (name, frame.lstrip(b"\r\n"))


def _is_readable(frame: bytes, event: Event) -> bool:
    """Whether the data of `frame` is `event` as it stands."""
    try:
        return bool(orjson.loads(b"\n".join(_data(frame))) == event)
    except orjson.JSONDecodeError:
        return False
