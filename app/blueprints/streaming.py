"""A generator of event-stream frames as a response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from flask import Response

from app.blueprints.client_connection import PIECE_BYTES, pieces
from app.blueprints.reply import Reply
from app.current import Inbound
from app.request_log import RequestRecord
from app.waiting import Client

_HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx would otherwise collect the stream and deliver it in one burst.
    "x-accel-buffering": "no",
}


def event_stream(frames: Iterator[bytes], headers: Callable[[], Mapping[str, str]], asked: Inbound) -> Response:
    """A streaming response of `frames`, closed when the client leaves.

    The first frame is awaited here: what goes wrong before it is raised and gets a status of its own.
    """
    first = next(frames, b"")
    response = Reply(_written(first, frames, asked.record, asked.client), mimetype="text/event-stream")
    response.headers.extend(_HEADERS | dict(headers()))
    response.call_on_close(frames.close)  # type: ignore[attr-defined]
    return response


def _written(first: bytes, frames: Iterator[bytes], served: RequestRecord, reader: Client) -> Iterator[bytes]:
    served.first_byte()
    waiting = chain(iter([first]), frames)
    # An open stream that waits holds neither its first nor its last frame.
    del first
    for frame in waiting:
        served.bytes_out += len(frame)
        reader.wrote()
        if len(frame) <= PIECE_BYTES:
            yield frame
            del frame
        else:
            yield from pieces(frame)
