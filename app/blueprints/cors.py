"""Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol), refused unless CORS_ORIGINS allows them.

A page of an allowed origin may do whatever its visitor's machine may, use the server's key included.
"""

from __future__ import annotations

import re

from flask import Flask, Response

from app.blueprints.reply import Reply
from app.current import current_request

_ANY = "*"
_ASKED_HEADERS = re.compile(r"[A-Za-z0-9_-]+(?:\s*,\s*[A-Za-z0-9_-]+)*")
_MAX_AGE_SECONDS = 600


def register(app: Flask) -> None:
    """Answer preflight requests of `app` and mark its answers, errors and streams included."""
    app.before_request(_preflight)
    app.after_request(_marked)


def _allowed_origin() -> str:
    """What `Access-Control-Allow-Origin` says to this request; empty if its origin is not allowed."""
    inbound = current_request()
    origin, allowed = inbound.headers.get("origin", ""), inbound.settings.cors_origins
    if not origin:
        return ""
    if _ANY in allowed:
        return _ANY
    return origin if origin.lower() in allowed else ""


def _preflight() -> Response | None:
    """The answer to a preflight request of an allowed origin; None lets any other request go on."""
    inbound = current_request()
    if inbound.method != "OPTIONS" or "access-control-request-method" not in inbound.headers or not _allowed_origin():
        return None
    response = Reply(status=204)
    response.headers["access-control-allow-methods"] = "GET, HEAD, POST"
    response.headers["access-control-max-age"] = str(_MAX_AGE_SECONDS)
    asked = inbound.headers.get("access-control-request-headers", "")
    if _ASKED_HEADERS.fullmatch(asked):
        # `*` would not cover Authorization.
        response.headers["access-control-allow-headers"] = asked
    return response


def _marked(response: Response) -> Response:
    response.vary.add("origin")
    if origin := _allowed_origin():
        response.headers["access-control-allow-origin"] = origin
        response.headers["access-control-expose-headers"] = _ANY
    return response
