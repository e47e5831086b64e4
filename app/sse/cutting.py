"""Bytes of a stream, however the network cut them -> whole events of bounded size."""

from __future__ import annotations

import re

from app.errors import UpstreamBroken

MAX_EVENT_BYTES = 32 * 1024 * 1024
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LONGEST_BLANK_LINE = 4
_BOM = b"\xef\xbb\xbf"


class EventCutter:
    """Bytes in pieces of any size -> whole events, each with the blank line that ends it.

    What is held of an unfinished event is searched once: its cost grows with the bytes, not with the pieces.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """All events that are whole now, as they came; b"" if none is. Raises UpstreamBroken above 32 MB."""
        if not self._begun:
            data = self._without_bom(data)
        rest = self._rest
        if not rest:
            if data.endswith(b"\n\n"):
                return data  # as nearly every read is
            end = _last_end(data, 0)
            rest += data[end:]
            whole = data[:end]
        else:
            searched = len(rest)
            rest += data
            end = _last_end(rest, max(0, searched - _LONGEST_BLANK_LINE + 1))
            whole = bytes(rest[:end])
            del rest[:end]
        if len(rest) > MAX_EVENT_BYTES:
            raise UpstreamBroken("The upstream sent a single event of more than 32 MB.")
        return whole

    def rest(self) -> bytes:
        """What came behind the last whole event."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest

    def _without_bom(self, data: bytes) -> bytes:
        """The first bytes, held back until they cannot be part of a byte order mark any more."""
        start = bytes(self._rest) + data
        self._rest.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._rest += start
            return b""
        self._begun = True
        return start.removeprefix(_BOM)


def _last_end(data: bytes | bytearray, start: int) -> int:
    """Behind the last blank line that ends after `start`, or 0."""
    found = data.rfind(b"\n\n", start)
    end = found + 2 if found >= 0 else 0
    if data.find(b"\r", max(start, end)) >= 0:
        for match in _BLANK_LINE.finditer(data, max(start, end)):
            end = match.end()
    return end


def split_frames(whole: bytes) -> list[bytes]:
    """Whole events, each with the blank line that ends it."""
    if b"\r" not in whole:
        return [frame + b"\n\n" for frame in whole.split(b"\n\n")[:-1]]
    frames, start = [], 0
    for match in _BLANK_LINE.finditer(whole):
        frames.append(whole[start : match.end()])
        start = match.end()
    return frames
