"""The body of a request: bounded in size and time, checked to be whole, read as strict JSON."""

from __future__ import annotations

import contextlib
from typing import Any

from gevent import GreenletExit
from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from app.breath import breathe
from app.current import InboundRequest
from app.errors import InvalidRequest, RequestTimeout, RequestTooLarge, ShuttingDown, UnsupportedMediaType
from app.json_body import read_json
from app.transport.time_limit import TookTooLong, time_limit

_READ_BYTES = 262_144
_WRITTEN_BY_BROWSERS = ("origin", "sec-fetch-site")
_COMPRESSIONS = {"gzip", "x-gzip", "deflate", "br", "zstd", "compress"}
_UNREADABLE = (OSError, ValueError, HTTPException, ParseException)
"""What gunicorn and werkzeug raise for a body that is cut, or whose chunks or trailers are malformed."""


def json_object(inbound: InboundRequest) -> tuple[bytes, dict[str, Any]]:
    """The body's bytes and the JSON object in them.

    Raises UnsupportedMediaType, RequestTooLarge, RequestTimeout, InvalidRequest.
    """
    _check_content_type(inbound)
    _check_coding(inbound)
    body = _body(inbound)
    value = read_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return body, value


def _check_content_type(inbound: InboundRequest) -> None:
    """A web page can post text/plain, or a body without type, to localhost without asking first."""
    kind = inbound.mimetype
    if kind == "application/json" or kind.endswith("+json"):
        return
    if not kind and not any(name in inbound.headers for name in _WRITTEN_BY_BROWSERS):
        return
    raise UnsupportedMediaType("Send the body as JSON, with 'Content-Type: application/json'.")


def _check_coding(inbound: InboundRequest) -> None:
    """Anything else in Content-Encoding, such as `utf-8`, is a mistake that changes nothing."""
    codings = inbound.header_values.get("content-encoding", "").lower()
    if codings and not _COMPRESSIONS.isdisjoint(map(str.strip, codings.split(","))):
        raise UnsupportedMediaType("The request body is compressed; send it as it is, without Content-Encoding.")


def _body(inbound: InboundRequest) -> bytes:
    limit = inbound.settings.max_body_bytes
    expected = inbound.content_length
    if expected is not None and expected > limit:
        raise _too_large(limit)
    try:
        with contextlib.nullcontext() if _is_here(inbound) else time_limit(inbound.settings.client_body_timeout):
            body = _read(inbound, limit)
    except TookTooLong:
        raise RequestTimeout("The request body did not arrive within CLIENT_BODY_TIMEOUT.") from None
    except (GreenletExit, ShuttingDown):
        inbound.environ["wsgi.input"].failed = True  # so that nobody waits for the rest of it
        raise ShuttingDown from None
    except _UNREADABLE:
        raise InvalidRequest("The request body could not be read; it was cut or badly encoded.") from None
    if expected is not None and len(body) != expected:
        raise InvalidRequest(f"The request body has {len(body)} bytes, but Content-Length says {expected}.")
    inbound.body_was_read = True
    inbound.record.bytes_in = len(body)
    return body


def _is_here(inbound: InboundRequest) -> bool:
    """Whether the body came with the head, so that nothing waits for it."""
    stream = inbound.environ["wsgi.input"]
    return isinstance(stream, Body) and getattr(stream.reader, "length", None) == 0


def _read(inbound: InboundRequest, limit: int) -> bytes:
    """All of the body. `wsgi.input` is read bare: werkzeug's own wrapper hides a body that ends early."""
    stream = inbound.environ["wsgi.input"]
    left = inbound.content_length
    if left is None and not inbound.environ.get("wsgi.input_terminated"):
        return b""
    pieces: list[bytes] = []
    size = 0
    while left is None or size < left:
        piece = stream.read(_READ_BYTES if left is None else min(_READ_BYTES, left - size))
        if not piece:
            break
        breathe()
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
    return b"".join(pieces)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request exceeds the maximum size of {limit} bytes (MAX_BODY_BYTES).")


class Discard:
    """Reads away what is left of a body that was refused, so that a client which still sends it gets to the answer.

    If that takes more than `seconds` or `limit` bytes the connection ends: where the next request would begin on it
    is unknown then.
    """

    def __init__(self, stream: Any, limit: int, seconds: float) -> None:
        self._stream = stream
        self._left = limit
        self._seconds = seconds

    def __call__(self) -> None:
        body = self._stream if isinstance(self._stream, Body) else None
        if body is not None and body.failed:
            return
        ended = False
        with contextlib.suppress(TookTooLong, *_UNREADABLE), time_limit(self._seconds):
            while self._left > 0 and not ended:
                piece = self._stream.read(_READ_BYTES)
                self._left -= len(piece)
                ended = not piece
                breathe()
        if body is not None and not ended:
            body.failed = True
