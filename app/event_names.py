"""Events without an `event:` line get one: Anthropic's SDKs skip those that have none."""

from __future__ import annotations

import re

from app.sse import EventReader

_NAMED = re.compile(rb"(?:^|[\r\n])event:")
_DATA = re.compile(rb"(?:^|[\r\n])data:")
_TYPE = re.compile(rb'data: ?\{"type": ?"(\w+)"')
"""Where the type stands in all but odd events, which are parsed."""
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")


def lacks_names(events: bytes) -> bool:
    """Whether none of these events has an `event:` line; an upstream writes them always or never."""
    return _DATA.search(events) is not None and _NAMED.search(events) is None


def with_names(events: bytes) -> bytes:
    """Whole events, each with the type in its data as its name; what has no type stays as it is."""
    named: list[bytes] = []
    position = 0
    for end in [match.end() for match in _BLANK_LINE.finditer(events)]:
        frame = events[position:end]
        position = end
        kind = b"" if _NAMED.search(frame) else _type(frame)
        named += [b"event: ", kind, b"\n", frame] if kind else [frame]
    return b"".join(named) + events[position:]


def _type(frame: bytes) -> bytes:
    match = _TYPE.match(frame)
    if match:
        return match[1]
    kinds = [event.get("type") for event in EventReader().feed(frame)]
    return kinds[0].encode() if kinds and isinstance(kinds[0], str) and kinds[0].isidentifier() else b""
