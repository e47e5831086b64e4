"""The only home of sseclient: server-sent events from bytes, however they are cut, and back to bytes.

Bytes are cut into whole, size-checked events first. An event as every API writes it is read by slicing; any other goes
through sseclient, and the tests hold that both read the same.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import orjson
import sseclient

from app.errors import UpstreamBroken
from app.translate.surrogates import SurrogateJoiner, has_lone_surrogate

Event = dict[str, Any]

MAX_EVENT_BYTES = 32 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keep-alive\n\n"
PING = b'event: ping\ndata: {"type": "ping"}\n\n'

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_BOM = b"\xef\xbb\xbf"
_logger = logging.getLogger("anthropic_proxy.sse")


class EventCutter:
    """Bytes in pieces of any size -> whole events, each with the blank line that ends it."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """All events that are whole now, as they came; b"" if none is. Raises UpstreamBroken above 32 MB."""
        if not self._begun and data:
            self._begun = True
            data = data.removeprefix(_BOM)
        if self._rest:
            data = self._rest + data
        end = self._last_end(data)
        self._rest = data[end:]
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UpstreamBroken("The upstream sent a single event of more than 32 MB.")
        return data[:end]

    def rest(self) -> bytes:
        """What came behind the last whole event."""
        rest, self._rest = self._rest, b""
        return rest

    def _last_end(self, data: bytes) -> int:
        end = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        if b"\r" in data[end:] or (end == 0 and b"\r" in data):
            for match in _BLANK_LINE.finditer(data, end):
                end = match.end()
        return end


class EventReader:
    """Bytes of a Messages stream -> its events as dicts.

    Takes what section "event stream interpretation" of the HTML standard allows, and what upstreams really send:
    no `event:` line, `[DONE]`, two frames glued together, half surrogate pairs, no blank line at the end.
    """

    def __init__(self) -> None:
        self._cutter = EventCutter()
        self._surrogates = SurrogateJoiner()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        whole = self._cutter.feed(data)
        return self._events(whole) if whole else []

    def end(self) -> list[Event]:
        """The event behind the last blank line, if the upstream forgot the one at the end and it is not cut."""
        rest = self._cutter.rest()
        if not rest.strip():
            return []
        try:
            return [event for name, data in _plain(rest) for event in self._decoded(name, data, cut=True)]
        except UnicodeDecodeError:
            return []

    def _events(self, whole: bytes) -> list[Event]:
        events: list[Event] = []
        if b"\r" in whole:
            whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        for frame in whole.split(b"\n\n"):
            if frame:
                data = _sliced(frame)
                if data is not None:
                    events += self._decoded(None, data)
                else:
                    for name, data in _plain(frame):
                        events += self._decoded(name, data)
        return events

    def _decoded(self, name: str | None, data: bytes, cut: bool = False) -> list[Event]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return self._mended(data, cut)
        if not isinstance(event, dict):
            return []
        if "type" not in event:
            event["type"] = name or ("error" if "error" in event else "")
        return self._surrogates.feed(event) if self._surrogates.pending else [event]

    def _mended(self, data: bytes, cut: bool) -> list[Event]:
        """Events of data that is no strict JSON: half a surrogate pair, frames glued together, or a cut one."""
        if data.strip() == b"[DONE]":
            return []
        events: list[Event] = []
        for piece in [data, *data.split(b"data:")]:
            try:
                event = json.loads(piece)
            except ValueError:
                continue
            if isinstance(event, dict):
                events += self._surrogates.feed(event) if has_lone_surrogate(event) else [event]
            if piece is data:
                return events
        if not cut:
            _logger.warning("an upstream event was not JSON; %d of its parts could be read", len(events))
        return events


def _sliced(frame: bytes) -> bytes | None:
    """The data of `event: …` and one `data: …` line, or of the latter alone; None for any other frame."""
    if frame.startswith(b"data: "):
        return None if b"\n" in frame else frame[6:]
    if frame.startswith(b"event: "):
        line_end = frame.find(b"\n")
        if frame.startswith(b"data: ", line_end + 1) and frame.find(b"\n", line_end + 7) < 0:
            return frame[line_end + 7 :]
    return None


def _plain(frame: bytes) -> Iterator[tuple[str | None, bytes]]:
    """(event name, data) of a frame, by sseclient."""
    for event in sseclient.SSEClient(iter([frame + b"\n\n"])).events():
        yield (None if event.event == "message" else event.event), event.data.encode("utf-8", "surrogatepass")


def encode(chunk: Event) -> bytes:
    """`chunk` as OpenAI streams it: one data line."""
    return b"data: " + _dumped(chunk) + b"\n\n"


def encode_event(event: Event) -> bytes:
    """`event` as Anthropic streams it: its type in an event line, then one data line."""
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + _dumped(event) + b"\n\n"


def _dumped(value: Event) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
