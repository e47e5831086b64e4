"""Every failure as JSON, in the shape of the API that its path belongs to."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import errors
from app.blueprints.reply import Reply
from app.current import current_request
from app.dialect import speaks_anthropic
from app.errors import ClientGone, ProxyError, UpstreamRefusal
from app.headers import listing, openai_headers, passed_back
from app.json_body import dump_json
from app.redaction import without_keys
from app.translate.error_body import anthropic_error, openai_error

_logger = logging.getLogger("anthropic_proxy.failures")

_SERVED = (
    "This proxy speaks OpenAI's Chat Completions API (/v1/chat/completions) and Anthropic's Messages API "
    "(/v1/messages); set your client to one of them."
)
"""Told where neither is asked for: several clients use OpenAI's Responses API unless told otherwise."""


def register(app: Flask) -> None:
    """Make `app` answer every failure; it never shows a page, a traceback or a text of a library."""
    app.register_error_handler(ProxyError, answer)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(RecursionError, answer_recursion)
    app.register_error_handler(Exception, answer_unexpected)


def answer(error: ProxyError) -> Response:
    inbound = current_request()
    served = inbound.record
    served.failed(error)
    if isinstance(error, ClientGone):
        served.left()
    error = without_keys(error, inbound.credentials.values())
    refusal = error if isinstance(error, UpstreamRefusal) else None
    if refusal:
        served.upstream_status = served.upstream_status or refusal.status
    in_dialect = _anthropic if speaks_anthropic(inbound.path, inbound.header_values) else _openai
    status, content, headers = in_dialect(error, refusal, served.request_id)
    if served.upstream_model:
        headers["x-upstream-model"] = listing([served.upstream_model])
    return Reply(content, status=status, content_type="application/json", headers=headers)


def _anthropic(
    error: ProxyError, refusal: UpstreamRefusal | None, request_id: str
) -> tuple[int, bytes, dict[str, str]]:
    """(status, body, headers); the upstream's own words if they are in Anthropic's shape."""
    headers = {"request-id": request_id} | passed_back(refusal.headers if refusal else {})
    status, body = anthropic_error(error, headers["request-id"])
    return status, refusal.body if refusal and refusal.native else dump_json(body), headers


def _openai(error: ProxyError, refusal: UpstreamRefusal | None, _: str) -> tuple[int, bytes, dict[str, str]]:
    status, body = openai_error(error)
    return status, dump_json(body), openai_headers(refusal.headers if refusal else {})


def answer_http(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        response = answer(errors.MethodNotAllowed(f"Method {request.method} is not allowed here; use {allowed}."))
        response.headers["allow"] = allowed
        return response
    if error.code == 404:
        return answer(errors.NotFound(f"There is no {request.path!r} here. {_SERVED}"))
    failure = errors.InvalidRequest(error.description or "The request is malformed.")
    failure.status = error.code if error.code and 400 <= error.code < 500 else 500
    return answer(failure)


def answer_recursion(error: RecursionError) -> Response:
    return answer(errors.InvalidRequest("The request body is nested too deeply."))


def answer_unexpected(error: Exception) -> Response:
    """A bug of ours: logged whole for the operator, told in one sentence to the client."""
    _logger.error("unexpected failure of request %s", current_request().record.request_id, exc_info=error)
    return answer(ProxyError("The proxy failed on this request; its operator finds the reason in its log."))
