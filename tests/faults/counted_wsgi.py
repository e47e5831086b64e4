"""The service with one path more: /counts tells which worker answers, how many greenlets it has, and how many open
sockets to the upstream."""

import gc
import json
import os
from collections.abc import Iterable
from typing import Any

from greenlet import greenlet

from app.transport.connection import Connection
from wsgi import app as service


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/counts":
        return service(environ, start_response)
    gc.collect()
    counts = {"pid": os.getpid(), "greenlets": living(greenlet), "connections": living(Connection)}
    body = json.dumps(counts).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def living(kind: type) -> int:
    return sum(isinstance(item, kind) and not getattr(item, "dead", False) for item in gc.get_objects())
