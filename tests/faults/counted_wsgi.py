"""The service with one path more: /greenlets tells how many greenlets its worker has, and /connections how many open
sockets to the upstream."""

import gc
from collections.abc import Iterable
from typing import Any

from greenlet import greenlet

from app.connection import Connection
from wsgi import app as service

COUNTED = {"/greenlets": greenlet, "/connections": Connection}


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    kind = COUNTED.get(environ["PATH_INFO"])
    if kind is None:
        return service(environ, start_response)
    gc.collect()
    living = [item for item in gc.get_objects() if isinstance(item, kind) and not getattr(item, "dead", False)]
    body = str(len(living)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
