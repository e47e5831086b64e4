"""GET /health (liveness), /health/ready (readiness) and /, which clients probe."""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify

from app.current import services
from app.errors import UpstreamError
from app.headers import ANTHROPIC_VERSION
from app.services import Services

blueprint = Blueprint("health", __name__)


@blueprint.get("/")
@blueprint.get("/health")
def health() -> Response:
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    if _readiness.ready(services()):
        return jsonify(status="ready"), 200
    return jsonify(status="upstream unreachable"), 503


class Readiness:
    """Whether the upstream answers HTTP at all, asked at most every ten seconds and without a key or a token."""

    def __init__(self) -> None:
        self._asked_at = float("-inf")
        self._ready = False

    def ready(self, services: Services) -> bool:
        if time.monotonic() - self._asked_at > 10:
            self._asked_at = time.monotonic()
            self._ready = self._ask(services)
        return self._ready

    def _ask(self, services: Services) -> bool:
        try:
            headers = {"anthropic-version": ANTHROPIC_VERSION, "accept-encoding": "identity"}
            answer = services.upstream.send("GET", "/v1/models", headers)
        except UpstreamError:
            return False
        answer.close()
        return True


_readiness = Readiness()
