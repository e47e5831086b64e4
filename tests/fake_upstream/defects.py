"""Odd and broken streams, by the marker that asks for them: first what is done to events, then to frames."""

import copy
import json
import re
from collections.abc import Callable
from itertools import chain

from .rendering import Event
from .script import Script

EventDefect = Callable[[list[Event]], list[Event]]
FrameDefect = Callable[[list[bytes], str], list[bytes]]

OVERLOADED = (
    b'event: error\ndata: {"type":"error","error":{"details":null,"type":"overloaded_error",'
    b'"message":"Overloaded"},"request_id":"req_midstream"}\n\n'
)


def holes(stream: list[Event]) -> list[Event]:
    """Block indexes 1, 3, 5 in place of 0, 1, 2."""
    return [{**event, "index": 2 * event["index"] + 1} if "index" in event else event for event in stream]


def no_block_stops(stream: list[Event]) -> list[Event]:
    """No content_block_stop at all."""
    return [event for event in stream if event["type"] != "content_block_stop"]


def input_at_start(stream: list[Event]) -> list[Event]:
    """The whole tool input in content_block_start, and no delta for it."""
    given: dict[int, str] = {}
    for event in stream:
        if event.get("delta", {}).get("type") == "input_json_delta":
            given[event["index"]] = given.get(event["index"], "") + event["delta"]["partial_json"]
    kept = [copy.deepcopy(e) for e in stream if e.get("delta", {}).get("type") != "input_json_delta"]
    for event in kept:
        if event["type"] == "content_block_start" and event["index"] in given:
            event["content_block"]["input"] = json.loads(given[event["index"]] or "{}")
    return kept


def no_block_starts(stream: list[Event]) -> list[Event]:
    """Deltas for text blocks that were never started."""
    texts = {
        event["index"]
        for event in stream
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "text"
    }
    return [e for e in stream if not (e["type"] == "content_block_start" and e["index"] in texts)]


def _halves(event: Event) -> list[Event]:
    """A text delta as one delta for each UTF-16 unit."""
    delta = event.get("delta", {})
    if delta.get("type") != "text_delta":
        return [event]
    units = delta["text"].encode("utf-16-le")
    pieces = [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]
    return [{**event, "delta": {**delta, "text": piece}} for piece in pieces]


def surrogates(stream: list[Event]) -> list[Event]:
    """Text cut between the halves of surrogate pairs."""
    return list(chain.from_iterable(map(_halves, stream)))


def null_usage(stream: list[Event]) -> list[Event]:
    """`usage: null` wherever there is one."""
    bare = [{**event, "usage": None} if "usage" in event else event for event in stream]
    return [{**e, "message": {**e["message"], "usage": None}} if "message" in e else e for e in bare]


def more_after_the_end(stream: list[Event]) -> list[Event]:
    """Another text delta behind message_stop."""
    late = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "too late"}}
    return [*stream, late]


def unknown_events(stream: list[Event]) -> list[Event]:
    """An event and a delta type of tomorrow."""
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "future_delta", "future": 1}}
    starts = [i for i, event in enumerate(stream) if event["type"] == "content_block_start"]
    at = starts[0] + 1 if starts else 1
    return [*stream[:at], {"type": "future_event", "future": 1}, *([delta] if starts else []), *stream[at:]]


EVENT_DEFECTS: dict[str, EventDefect] = {
    "holes": holes,
    "no-block-stops": no_block_stops,
    "input-at-start": input_at_start,
    "no-block-starts": no_block_starts,
    "surrogates": surrogates,
    "null-usage": null_usage,
    "late-delta": more_after_the_end,
    "unknown-events": unknown_events,
}


def cut(frames: list[bytes], count: str) -> list[bytes]:
    """The first `count` frames, or all but the last -`count`; by default the message's end is missing."""
    return frames[: int(count) if re.fullmatch("-?[0-9]+", count) else -2]


def error_midstream(frames: list[bytes], _argument: str) -> list[bytes]:
    """An error event after half of the frames."""
    return [*frames[: max(1, len(frames) // 2)], OVERLOADED]


def glued(frames: list[bytes], _argument: str) -> list[bytes]:
    """A ping cut short, and the next frame's data on the same line."""
    at = max(1, len(frames) // 2)
    broken = b'event: ping\ndata: {"type": "pi' + frames[at].partition(b"\n")[2]
    return [*frames[:at], broken, *frames[at + 1 :]]


def _replaced(old: bytes, new: bytes) -> FrameDefect:
    return lambda frames, _argument: [frame.replace(old, new) for frame in frames]


def no_event_lines(frames: list[bytes], _argument: str) -> list[bytes]:
    """Only data lines."""
    return [b"data: " + frame.partition(b"data: ")[2] if b"data: " in frame else frame for frame in frames]


FRAME_DEFECTS: dict[str, FrameDefect] = {
    "cut": cut,
    "error-midstream": error_midstream,
    "error-first": lambda _frames, _argument: [OVERLOADED],
    "glued": glued,
    "comments": lambda frames, _argument: [b": keep-alive\n\n" + frame for frame in frames],
    "done": lambda frames, _argument: [*frames, b"data: [DONE]\n\n"],
    "no-event-lines": no_event_lines,
    "no-space": _replaced(b"data: ", b"data:"),
    "two-data-lines": _replaced(b"data: {", b"data: {\ndata: "),
    "no-final-blank-line": lambda frames, _argument: [*frames[:-1], frames[-1].rstrip(b"\n")],
    "bom": lambda frames, _argument: [b"\xef\xbb\xbf" + frames[0], *frames[1:]],
    "crlf": _replaced(b"\n", b"\r\n"),
    "cr": _replaced(b"\n", b"\r"),
}


def defective_events(stream: list[Event], wanted: Script) -> list[Event]:
    """The events with every defect that the script asks for."""
    for marker, defect in EVENT_DEFECTS.items():
        stream = defect(stream) if marker in wanted else stream
    return stream


def defective_frames(frames: list[bytes], wanted: Script) -> list[bytes]:
    """The frames with every defect that the script asks for, line ends last."""
    for marker, defect in FRAME_DEFECTS.items():
        frames = defect(frames, wanted.markers[marker]) if marker in wanted else frames
    return frames
