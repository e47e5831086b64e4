"""Errors of any upstream, in any of their shapes -> one UpstreamRefusal -> the error body of the client's own API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from app.errors import InvalidRequest, ProxyError, UpstreamRefusal, UpstreamTimeout, UpstreamUnreachable

Body = dict[str, Any]
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
_STATUSES = {type: status for status, type in ANTHROPIC_TYPES.items() if status != 503}
_CODES = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), 401),
    **dict.fromkeys(("1113", "1008"), 402),
    "1211": 404,
    "1261": 400,
    **dict.fromkeys(("1302", "1303", "1308"), 429),
    "1305": 529,
    "2013": 400,
}
"""Numeric codes of z.ai and MiniMax -> the status Anthropic gives for the same; both also come with HTTP 200."""
_CONTEXT = re.compile(r"prompt is too long|context (limit|length|window)|input length and|\b1261\b", re.IGNORECASE)
_CREDIT = re.compile(r"credit balance|insufficient (balance|quota|credit)|\b1113\b", re.IGNORECASE)
_FIELD = re.compile(r"^([a-z_]+(?:\.[a-z0-9_]+)*): ")
MAX_QUOTED = 300
"""Characters of an unreadable error body that a client is shown."""


def read_error(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> UpstreamRefusal:
    """The refusal that an HTTP error answer tells; plain text and HTML are quoted."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    found = _found(value)
    if found is None:
        text = re.sub(r"<[^>]*>|\s+", " ", body.decode("utf-8", "replace")).strip()[:MAX_QUOTED]
        found = (None, text or f"The upstream answered with status {status} and no explanation.", None)
    type, message, code = found
    if status < 400:
        status = _status(type, code)
    native = isinstance(value, dict) and value.get("type") == "error" and type in _STATUSES
    return UpstreamRefusal(status, _type(type, status), message, code, headers, body, native)


def error_in_disguise(value: Any) -> bool:
    """Whether a body that came with status 200 is an error all the same."""
    if not isinstance(value, dict) or value.get("type") == "message" or "content" in value:
        return False
    return _found(value) is not None


def stream_error(event: Body) -> UpstreamRefusal:
    """The refusal that an `error` event tells; its status is what the same error would have had as an answer."""
    type, message, code = _found(event) or (None, "The upstream reported an error without saying which.", None)
    status = _status(type, code)
    body = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
    return UpstreamRefusal(status, _type(type, status), message, code, None, body)


def _status(type: str | None, code: str | None) -> int:
    return _CODES.get(code or "") or _STATUSES.get(type or "") or 500


def _type(type: str | None, status: int) -> str:
    known = type in _STATUSES
    return str(type) if known else ANTHROPIC_TYPES.get(status, _default_type(status))


def _default_type(status: int) -> str:
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def _found(value: Any) -> tuple[str | None, str, str | None] | None:
    """(type, message, code) in the first known shape: Anthropic, OpenAI, FastAPI, Chinese gateways, MiniMax."""
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, dict):
        message = error.get("message") or error.get("msg") or json.dumps(error, ensure_ascii=False)
        return _text(error.get("type")), str(message), _text(error.get("code"))
    if isinstance(error, str) and error:
        return None, error, None
    detail = value.get("detail")
    if isinstance(detail, list):
        detail = "; ".join(map(_fastapi_detail, detail))
    base = value.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return None, str(base.get("status_msg")), _text(base["status_code"])
    for name, message in (("detail", detail), ("message", value.get("message")), ("msg", value.get("msg"))):
        if isinstance(message, str) and message and not (name == "msg" and value.get("success") is True):
            return None, message, _text(value.get("code"))
    return None


def _fastapi_detail(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    path = ".".join(str(step) for step in item.get("loc", ()) if step != "body")
    return f"{path}: {item.get('msg')}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def openai_error(error: ProxyError) -> tuple[int, Body]:
    """(status, body) as OpenAI documents errors; the status is one that its SDKs know."""
    status, type, code = _openai_kind(error)
    param = error.param
    if param is None and isinstance(error, UpstreamRefusal) and error.status == 400:
        match = _FIELD.match(error.message)
        param = match.group(1) if match else None
    if param is not None:
        param = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", param)
    return status, {"error": {"message": error.message, "type": type, "param": param, "code": code}}


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
    status, message = error.status, error.message
    if status == 402 or _CREDIT.search(message) or error.code in {"1113", "1008"}:
        return 429, "insufficient_quota", "insufficient_quota"
    if status in {400, 413, 422} and (_CONTEXT.search(message) or error.code == "1261"):
        return 400, "invalid_request_error", "context_length_exceeded"
    if status == 404 and (message.startswith("model") or error.code == "1211"):
        return 404, "invalid_request_error", "model_not_found"
    if status in {503, 529} or error.type == "overloaded_error":
        return 503, "server_error", "overloaded"
    if status == 429:
        kind = "tokens" if re.search(r"token", message, re.IGNORECASE) else "requests"
        return 429, kind, "rate_limit_exceeded"
    if status == 504:
        return 504, "server_error", "timeout"
    if status >= 500:
        return (status if status in {500, 502} else 500), "server_error", error.code
    codes = {401: "invalid_api_key", 403: "permission_denied", 413: "request_too_large"}
    return status, "invalid_request_error", codes.get(status, error.code)


def anthropic_error(error: ProxyError, request_id: str | None = None) -> tuple[int, Body]:
    """(status, body) as Anthropic documents errors; a field's path stands in front of the sentence."""
    status = error.status
    if isinstance(error, UpstreamRefusal):
        type = error.type
    else:
        type = ANTHROPIC_TYPES.get(status, _default_type(status))
    message = error.message
    if isinstance(error, InvalidRequest) and error.param:
        message = f"{error.param}: {message}"
    body: Body = {"type": "error", "error": {"type": type, "message": message}}
    return status, body | ({"request_id": request_id} if request_id else {})
