"""The body of a request: bounded in size and time, checked to be whole, read as strict JSON."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.monkey
from flask import request
from werkzeug.exceptions import HTTPException

from app.current import record, settings
from app.errors import InvalidRequest, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from app.json_body import read_json

_READ_BYTES = 262_144


def json_object() -> tuple[bytes, dict[str, Any]]:
    """The body's bytes and the JSON object in them.

    Raises UnsupportedMediaType, RequestTooLarge, RequestTimeout, InvalidRequest.
    """
    _check_content_type()
    body = _body()
    value = read_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return body, value


def _check_content_type() -> None:
    """A web page can post text/plain, or a body without type, to localhost without asking first."""
    kind = request.mimetype
    if kind == "application/json" or kind.endswith("+json"):
        return
    if not kind and "origin" not in request.headers:
        return
    raise UnsupportedMediaType("Send the body as JSON, with 'Content-Type: application/json'.")


def _body() -> bytes:
    limit = settings().max_body_bytes
    expected = request.content_length
    if expected is not None and expected > limit:
        raise _too_large(limit)
    try:
        with _time_limit(settings().client_body_timeout):
            body = _read(limit)
    except _TookTooLong:
        raise RequestTimeout("The request body did not arrive within CLIENT_BODY_TIMEOUT.") from None
    except (OSError, ValueError, HTTPException):
        raise InvalidRequest("The request body could not be read; it was cut or badly encoded.") from None
    if expected is not None and len(body) != expected:
        raise InvalidRequest(f"The request body has {len(body)} bytes, but Content-Length says {expected}.")
    record().bytes_in = len(body)
    return body


def _read(limit: int) -> bytes:
    """All of the body. `wsgi.input` is read bare: werkzeug's own wrapper hides a body that ends early."""
    stream = request.environ["wsgi.input"]
    left = request.content_length
    if left is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    pieces: list[bytes] = []
    size = 0
    while left is None or size < left:
        piece = stream.read(_READ_BYTES if left is None else min(_READ_BYTES, left - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
    return b"".join(pieces)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request exceeds the maximum size of {limit} bytes (MAX_BODY_BYTES).")


class _TookTooLong(BaseException):
    """gevent raises it out of a read that waits."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Bounds the whole upload: timeouts of single reads never end a client that sends byte by byte."""
    if not gevent.monkey.is_module_patched("socket"):
        yield
        return
    with gevent.Timeout(seconds, _TookTooLong):
        yield
