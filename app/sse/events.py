"""Bytes of a Messages stream -> its events; the only home of sseclient.

An event as every API writes it is read by slicing; any other goes through sseclient, and the tests hold that both read
the same.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import sseclient

from app.errors import UpstreamBroken
from app.sse.cutting import EventCutter
from app.sse.data import events_in
from app.translate.surrogates import SurrogateJoiner, has_lone_surrogate

Event = dict[str, Any]

MAX_JOINING = 2**31
"""Lines times bytes of one event: sseclient copies all that came before with each line."""
_PLAIN = rb"(?:event: (?!error)[^\n]*\n)?data: ([^\n]*)"
_PLAIN_FRAME = re.compile(_PLAIN)
_PLAIN_FRAMES_OR_LINES = re.compile(_PLAIN + rb"\n\n|[^\n]*\n")
"""Group 1 is the data of a plain frame. Any other line gives an empty one, which is no JSON and fails the read."""


class EventReader:
    """Bytes of a Messages stream -> its events as dicts.

    Takes what section "event stream interpretation" of the HTML standard allows, and what upstreams really send:
    no `event:` line, `[DONE]`, frames cut short or glued together, half surrogate pairs, no blank line at the end.
    """

    def __init__(self) -> None:
        self._cutter = EventCutter()
        self._surrogates = SurrogateJoiner()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises UpstreamBroken for an event too large to read."""
        whole = self._cutter.feed(data)
        return self._events(whole) if whole else []

    def end(self) -> list[Event]:
        """The event behind the last blank line, if the upstream forgot the one at the end and it is not cut."""
        rest = self._cutter.rest()
        events = self._odd_events(rest, cut=True) if rest.strip() else []
        return [*events, *self._surrogates.end()]

    def _events(self, whole: bytes) -> list[Event]:
        events: list[Event] = []
        if b"\r" in whole:
            whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._surrogates.pending and (plain := _plain_events(whole)) is not None:
            return plain
        for frame in filter(None, whole.split(b"\n\n")):
            event = plain_event(frame)
            if event is None:
                events += self._odd_events(frame)
            else:
                events += self._surrogates.feed(event) if self._surrogates.pending else (event,)
        return events

    def _odd_events(self, frame: bytes, cut: bool = False) -> list[Event]:
        """The events of a frame that is not written as every API does; `cut` says that its end may be missing."""
        if frame.count(b"\n") * len(frame) > MAX_JOINING:
            raise UpstreamBroken("The upstream sent a single event of too many lines.")
        events: list[Event] = []
        # The standard asks for U+FFFD in place of what is not UTF-8; sseclient would raise.
        readable = frame.decode("utf-8", "replace").encode().lstrip()
        if readable.startswith(b"{"):
            # No field has a name like this: a server that failed wrote its error behind the events.
            readable = b"data: " + readable.replace(b"\n", b"\ndata: ")
        for event in sseclient.SSEClient(iter([readable + b"\n\n"])).events():
            for told in events_in(event.event, event.data, cut):
                events += self._mended(told)
        return events

    def _mended(self, event: Event) -> list[Event]:
        if self._surrogates.pending:
            return self._surrogates.feed(event)
        try:
            return self._surrogates.feed(event) if has_lone_surrogate(event) else [event]
        except RecursionError:
            return []


def plain_event(frame: bytes) -> Event | None:
    """The event in `event: …` and one `data: …` line, or in the latter alone; None for any other frame."""
    match = _PLAIN_FRAME.fullmatch(frame)
    try:
        event = orjson.loads(match[1]) if match else None
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and "type" in event else None


def _plain_events(whole: bytes) -> list[Event] | None:
    """The events of a read in which each frame is as `plain_event` takes it, all at once; None for any other read."""
    try:
        events = [*map(orjson.loads, _PLAIN_FRAMES_OR_LINES.findall(whole))]
    except orjson.JSONDecodeError:
        return None
    for event in events:
        if not isinstance(event, dict) or "type" not in event:
            return None
    return events
