"""What PEP 3333 hands to the application of a plain request."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from typing import Any

from gunicorn.http import wsgi
from gunicorn.util import unquote_to_wsgi_str

from app.server.request import BoundedRequest

FIELDS = "anthropic_proxy.fields"
"""Where the environ of a plain request has its fields by lower-case name."""


@cache
def _constant(cfg: Any) -> dict[str, Any]:
    """What is the same for every plain request."""
    return {
        **wsgi.base_environ(cfg),
        "SCRIPT_NAME": os.environ.get("SCRIPT_NAME", ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.multithread": True,
        "wsgi.url_scheme": "http",
    }


def has_fast_path(request: BoundedRequest, client: object, server: object) -> bool:
    """Whether plain_environ gives what gunicorn's `wsgi.create` does: not below a prefix or on a unix socket."""
    has_addresses = isinstance(client, tuple) and isinstance(server, tuple)
    return request.is_plain and has_addresses and not _constant(request.cfg)["SCRIPT_NAME"]


def plain_environ(request: BoundedRequest, sock: Any, client: Any, server: Any) -> dict[str, Any]:
    """The environ of a request whose `has_fast_path` is true; without `wsgi.early_hints`, which nobody here sends."""
    environ = dict(_constant(request.cfg))
    for name, value in request.fields.items():
        environ[_key(name)] = value
    environ[FIELDS] = request.fields
    environ["wsgi.input"] = request.body
    environ["gunicorn.socket"] = sock
    environ["REQUEST_METHOD"] = request.method
    environ["QUERY_STRING"] = request.query
    environ["RAW_URI"] = request.uri
    environ["PATH_INFO"] = unquote_to_wsgi_str(request.path) if "%" in request.path else request.path
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
    return environ


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    """The environ's name of a header, given in lower case."""
    key = name.replace("-", "_").upper()
    return key if name in {"content-type", "content-length"} else f"HTTP_{key}"
