"""Server-sent events, from bytes and back to bytes."""

from app.sse.cutting import MAX_EVENT_BYTES, EventCutter, split_frames
from app.sse.events import EventReader, plain_event
from app.sse.writing import DONE, KEEPALIVE, PING, encode, encode_event

__all__ = [
    "DONE",
    "KEEPALIVE",
    "MAX_EVENT_BYTES",
    "PING",
    "EventCutter",
    "EventReader",
    "encode",
    "encode_event",
    "plain_event",
    "split_frames",
]
