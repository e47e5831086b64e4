"""What a response owes the connection it goes out on: bounded writes, and nothing left behind for the next request."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from flask import Response

from app.blueprints.request_body import Discard
from app.current import Inbound
from app.transport.pieces import PIECE_BYTES, pieces

UNSENT_BYTES = 131_072
"""What the kernel keeps for a client that reads slowly. By itself it keeps megabytes, and takes no more until a third
of them was read."""


def guarded(response: Response, asked: Inbound) -> Response:
    """`response`, cut off if its client stops reading; what it left of the request body is read once it is sent."""
    sock = asked.client.socket
    if sock is None:
        return response
    sock.settimeout(asked.settings.client_send_timeout)
    response.call_on_close(lambda: sock.settimeout(None))
    if response.is_streamed:
        _keep_little(sock)
    elif (response.content_length or 0) > PIECE_BYTES:
        _keep_little(sock)
        response.response = list(pieces(response.get_data()))
    discard = _discard(asked)
    if discard is not None:
        response.call_on_close(discard)
    return response


def _keep_little(sock: socket.socket) -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError):  # a unix socket has no such option
            sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def _discard(asked: Inbound) -> Callable[[], None] | None:
    if asked.body_was_read or not (asked.content_length or "transfer-encoding" in asked.headers):
        return None
    limits = asked.settings
    return Discard(asked.environ["wsgi.input"], 2 * limits.max_body_bytes, limits.client_body_timeout)
