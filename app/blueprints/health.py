"""GET /health (liveness), /health/ready (readiness) and /, which clients probe."""

from __future__ import annotations

import threading
import time

from flask import Blueprint, Flask, Response, current_app, jsonify

from app.errors import UpstreamError
from app.headers import ANTHROPIC_VERSION
from app.settings import Settings
from app.upstream import Upstream

blueprint = Blueprint("health", __name__)
_READINESS = "anthropic-proxy.readiness"
_PATIENCE_SECONDS = 5.0
"""Orchestrators wait less than this for a probe."""
_VALID_SECONDS = 10.0


class Readiness:
    """Whether the upstream answers HTTP at all, asked at most every ten seconds and without a key or a token."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._asked_at = float("-inf")
        self._ready = False
        self._lock = threading.Lock()

    def ready(self) -> bool:
        with self._lock:
            if time.monotonic() - self._asked_at > _VALID_SECONDS:
                self._ready = self._ask()
                self._asked_at = time.monotonic()
            return self._ready

    def _ask(self) -> bool:
        try:
            headers = {"anthropic-version": ANTHROPIC_VERSION, "accept-encoding": "identity"}
            answer = self._upstream.send("GET", "/v1/models", headers)
        except UpstreamError:
            return False
        answer.close()
        return True


def register(app: Flask, configured: Settings) -> None:
    """Add the views, and what remembers for `app` whether its upstream was there."""
    app.extensions[_READINESS] = Readiness(Upstream(configured.impatient(_PATIENCE_SECONDS)))
    app.register_blueprint(blueprint)


@blueprint.get("/")
@blueprint.get("/v1")
@blueprint.get("/health")
def health() -> Response:
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    if current_app.extensions[_READINESS].ready():
        return jsonify(status="ready"), 200
    return jsonify(status="upstream unreachable"), 503
