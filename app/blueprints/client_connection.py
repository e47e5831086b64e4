"""What a response owes the connection it goes out on: bounded writes, and nothing left behind for the next request."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from flask import Response

from app.blueprints.request_body import Discard
from app.current import InboundRequest
from app.transport.pieces import PIECE_BYTES, pieces

UNSENT_BYTES = 131_072
"""What the kernel keeps for a client that reads slowly. By itself it keeps megabytes, and takes no more until a third
of them was read."""


def guarded(response: Response, inbound: InboundRequest) -> Response:
    """`response`, cut off if its client stops reading; what it left of the request body is read once it is sent."""
    sock = inbound.client.socket
    if sock is None:
        return response
    sock.settimeout(inbound.settings.client_send_timeout)
    response.call_on_close(lambda: sock.settimeout(None))
    if response.is_streamed:
        _keep_little(sock)
    elif (response.content_length or 0) > PIECE_BYTES:
        _keep_little(sock)
        response.response = list(pieces(response.get_data()))
    discard = _discard(inbound)
    if discard is not None:
        response.call_on_close(discard)
    return response


def _keep_little(sock: socket.socket) -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError):  # a unix socket has no such option
            sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def _discard(inbound: InboundRequest) -> Callable[[], None] | None:
    if inbound.body_was_read or not (inbound.content_length or "transfer-encoding" in inbound.headers):
        return None
    limits = inbound.settings
    return Discard(inbound.environ["wsgi.input"], 2 * limits.max_body_bytes, limits.client_body_timeout)
