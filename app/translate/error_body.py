"""Failures -> the error body of the client's own API, as it documents errors."""

from __future__ import annotations

import re
from typing import Any

from app.errors import (
    InvalidRequest,
    ProxyError,
    UnsupportedThread,
    UpstreamRefusal,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.translate.error_words import openai_words

Body = dict[str, Any]
_CONTEXT = re.compile(r"prompt is too long|context (limit|length|window|size)|input length and|model token limit", re.I)
_CREDIT = re.compile(
    r"credit balance|insufficient[ _](balance|quota|credit)|reached your specified .{0,20}\busage limits", re.I
)
_FILTERED = re.compile(r"blocked by content filtering policy|^Content Exists Risk", re.I)
_FILTER_CODES = {"1301", "1026", "1027"}
"""z.ai's; MiniMax's for what it was sent and for what it wrote."""
_MODEL = re.compile(r"^model: |\bmodel\b.{0,200}(not found|does not exist|not exist)|^unknown model", re.I | re.S)
_FIELD = re.compile(
    r"^((?:model|messages|system|max_tokens|metadata|output_config|stop_sequences|temperature|thinking|tool_choice|tools"
    r"|top_k|top_p)(?:\.[a-z0-9_]+)*): "
)
"""A field's path in front of the sentence, as Anthropic's validation writes it."""
_PARAMS = {"model_not_found": "model", "context_length_exceeded": "messages"}
"""What OpenAI names as the field of such an error."""
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Source: Anthropic's error reference; 503 is what gateways in front of it answer when overloaded."""

_UNSUPPORTED_THREAD = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""`error.details` on which Anthropic's SDKs go on without a thread."""


def anthropic_type(status: int) -> str:
    """The error type that Anthropic's API gives with an HTTP status."""
    return ANTHROPIC_TYPES.get(status) or ("invalid_request_error" if 400 <= status < 500 else "api_error")


def openai_error(error: ProxyError) -> tuple[int, Body]:
    """(status, body) as OpenAI documents errors; the status is one that its SDKs know."""
    status, type, code = _openai_kind(error)
    param = error.param
    if param is None and isinstance(error, UpstreamRefusal):
        match = _FIELD.match(error.message) if status in {400, 422} else None
        param = match.group(1) if match else _PARAMS.get(code or "")
    if param is not None:
        param = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", param)
    message = openai_words(code, error.message) if isinstance(error, UpstreamRefusal) else error.message
    return status, {"error": {"message": message, "type": type, "param": param, "code": code}}


def _openai_kind(error: ProxyError) -> tuple[int, str, str | None]:
    """(status, type, code) for an error."""
    status = error.status
    if isinstance(error, UpstreamRefusal):
        return _refusal_kind(error)
    if isinstance(error, UpstreamTimeout):
        return status, "server_error", "timeout"
    if isinstance(error, UpstreamUnreachable):
        return status, "server_error", "upstream_unreachable"
    if status >= 500:
        return status, "server_error", error.code
    known = {401: "invalid_api_key", 404: "not_found", 413: "request_too_large", 405: "method_not_allowed"}
    return status, "invalid_request_error", error.code or known.get(status)


def _refusal_kind(error: UpstreamRefusal) -> tuple[int, str, str | None]:
    """(status, type, code) for an upstream's own error, by what it means more than by the status it came with."""
    status, message = error.status, error.message
    if status == 402 or error.type == "billing_error" or _CREDIT.search(message):
        return 429, "insufficient_quota", "insufficient_quota"
    if status in {400, 413, 422} and (_CONTEXT.search(message) or error.code == "1261"):
        return 400, "invalid_request_error", "context_length_exceeded"
    if status in {400, 404} and (_MODEL.search(message) or error.code in {"1211", "model_not_found"}):
        return 404, "invalid_request_error", "model_not_found"
    if status == 400 and (_FILTERED.search(message) or error.code in _FILTER_CODES):
        return 400, "invalid_request_error", "content_filter"
    if status in {503, 529} or error.type == "overloaded_error":
        return 503, "server_error", "overloaded"
    if status == 429:
        kind = "tokens" if re.search(r"token", message, re.IGNORECASE) else "requests"
        return 429, kind, "rate_limit_exceeded"
    if status >= 500:
        code = "timeout" if status == 504 else error.code
        return (status if status in {500, 502, 504} else 500), "server_error", code
    codes = {401: "invalid_api_key", 403: "permission_denied", 413: "request_too_large"}
    return status, "invalid_request_error", codes.get(status, error.code)


def anthropic_error(error: ProxyError, request_id: str | None = None) -> tuple[int, Body]:
    """(status, body) as Anthropic documents errors; a field's path stands in front of the sentence."""
    status = error.status
    type = error.type if isinstance(error, UpstreamRefusal) else anthropic_type(status)
    message = error.message
    if isinstance(error, InvalidRequest) and error.param:
        message = f"{error.param}: {message}"
    body: Body = {"type": "error", "error": {"type": type, "message": message}}
    if isinstance(error, UnsupportedThread):
        body["error"]["details"] = _UNSUPPORTED_THREAD
    return status, body | ({"request_id": request_id} if request_id else {})
