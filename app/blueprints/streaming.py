"""A generator of event-stream frames as a response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flask import Response

from app.current import client_socket, record, settings
from app.request_log import RequestRecord

_HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx would otherwise collect the stream and deliver it in one burst.
    "x-accel-buffering": "no",
}


def event_stream(frames: Iterator[bytes], headers: Callable[[], Mapping[str, str]]) -> Response:
    """A streaming response of `frames`, closed when the client leaves.

    The first frame is awaited here: what goes wrong before it is raised and gets a status of its own.
    """
    first = next(frames, b"")
    socket = client_socket()
    if socket is not None:
        # A client that stops reading would otherwise hold its stream, and the upstream's, for ever.
        socket.settimeout(settings().client_send_timeout)
    response = Response(_written(first, frames, record()), mimetype="text/event-stream")
    response.headers.extend(_HEADERS | dict(headers()))
    response.call_on_close(frames.close)  # type: ignore[attr-defined]
    return response


def _written(first: bytes, frames: Iterator[bytes], served: RequestRecord) -> Iterator[bytes]:
    served.first_byte()
    served.bytes_out += len(first)
    yield first
    for frame in frames:
        served.bytes_out += len(frame)
        yield frame
