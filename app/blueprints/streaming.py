"""A generator of event-stream frames as a response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from flask import Response

from app.blueprints.reply import Reply
from app.greenlets import on_own_stack

_HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx would otherwise collect the stream and deliver it in one burst.
    "x-accel-buffering": "no",
}


def event_stream(frames: Iterator[bytes], headers: Callable[[], Mapping[str, str]]) -> Response:
    """A streaming response of `frames`, whose first item is empty; closed when the client leaves.

    The first frame is awaited here: what goes wrong before it is raised and gets a status of its own.
    """
    on_own_stack(next, frames, None)
    response = Reply(frames, mimetype="text/event-stream")
    response.headers.extend(_HEADERS | dict(headers()))
    return response
