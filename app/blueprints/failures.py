"""Every failure as JSON, in the shape of the API that its path belongs to."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import errors
from app.blueprints.models import speaks_anthropic
from app.current import record, settings
from app.errors import ClientGone, ProxyError, UpstreamRefusal
from app.headers import openai_headers, passed_back
from app.json_body import dump_json
from app.translate.error_body import anthropic_error, openai_error

_logger = logging.getLogger("anthropic_proxy.failures")


def register(app: Flask) -> None:
    """Make `app` answer every failure; it never shows a page, a traceback or a text of a library."""
    app.register_error_handler(ProxyError, answer)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(RecursionError, answer_recursion)
    app.register_error_handler(Exception, answer_unexpected)


def answer(error: ProxyError) -> Response:
    served = record()
    served.failed(error)
    if isinstance(error, ClientGone):
        served.left()
    refusal = error if isinstance(error, UpstreamRefusal) else None
    if refusal:
        served.upstream_status = served.upstream_status or refusal.status
    if _is_openai():
        status, body = openai_error(error)
        headers = openai_headers(refusal.headers, datetime.now(timezone.utc)) if refusal else {}
        content = dump_json(body)
    else:
        status, body = anthropic_error(error, served.request_id)
        headers = passed_back(refusal.headers) if refusal else {}
        content = refusal.body if refusal and refusal.native else dump_json(body)
    return Response(_redacted(content), status=status, mimetype="application/json", headers=headers)


def answer_http(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        response = answer(errors.MethodNotAllowed(f"Method {request.method} is not allowed here; use {allowed}."))
        response.headers["allow"] = allowed
        return response
    if error.code == 404:
        return answer(errors.NotFound(f"There is no {request.path!r}; see the README for the paths that are."))
    failure = errors.InvalidRequest(error.description or "The request is malformed.")
    failure.status = error.code if error.code and 400 <= error.code < 500 else 500
    return answer(failure)


def answer_recursion(error: RecursionError) -> Response:
    return answer(errors.InvalidRequest("The request body is nested too deeply."))


def answer_unexpected(error: Exception) -> Response:
    """A bug of ours: logged whole for the operator, told in one sentence to the client."""
    _logger.error("unexpected failure of request %s", record().request_id, exc_info=error)
    return answer(ProxyError("The proxy failed on this request; its operator finds the reason in its log."))


def _is_openai() -> bool:
    path = request.path
    if path.endswith("/chat/completions"):
        return True
    if path.endswith(("/messages", "/messages/count_tokens")):
        return False
    return not speaks_anthropic()


def _redacted(content: bytes) -> bytes:
    """Without the server's key, which some upstreams quote back."""
    key = settings().server_api_key
    return content.replace(key.encode(), b"[redacted]") if len(key) > 4 else content
