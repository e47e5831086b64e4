"""Errors of any upstream, in any of their shapes -> one UpstreamRefusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.errors import UpstreamRefusal
from app.translate.error_body import ANTHROPIC_TYPES, anthropic_type
from app.translate.internal_addresses import without_internal_addresses

Body = dict[str, Any]
_STATUSES = {type: status for status, type in ANTHROPIC_TYPES.items() if status != 503}
_ZAI_CODES = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), 401),
    "1113": 402,
    **dict.fromkeys(("1210", "1213", "1214", "1261", "1301"), 400),
    "1211": 404,
    "1220": 403,
    **dict.fromkeys(("1302", "1303", "1304", "1308"), 429),
    "1305": 529,
}
_MINIMAX_CODES = {
    **dict.fromkeys(("1026", "1027", "2013"), 400),
    **dict.fromkeys(("1004", "2049"), 401),
    "1008": 402,
    **dict.fromkeys(("1002", "1039", "2056"), 429),
    "1001": 504,
}
"""Numeric codes -> the status that Anthropic gives for the same. Both APIs also send them with HTTP 200."""
_FOREIGN_TYPES = {
    "BadRequestError": 400,
    "NotFoundError": 404,
    "engine_overloaded_error": 529,
    "exceed_context_size_error": 400,
    "exceeded_current_quota_error": 402,
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "invalid_authentication_error": 401,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_reached_error": 429,
    "unavailable_error": 503,
}
"""Types that vLLM, llama.cpp and Moonshot write, and codes of OpenAI-like gateways -> the same."""
_CODE_IN_TEXT = re.compile(r"^\[(?P<zai>\d{4})\]|\bcode:? ?(?P<named>\d{4})\b|\((?P<minimax>\d{4})\)$")
_MARKUP = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^<>]*>|\s+")
MAX_QUOTED = 300
"""Characters of an unreadable error body that a client is shown."""
MAX_READ = 1024 * 1024
"""Bytes of an error body that are read as JSON."""
MAX_NESTING = 4
"""Errors within errors that are opened: gateways wrap what they were told, as an object or as its JSON text."""


@dataclass(frozen=True)
class _Told:
    """What an error body tells; `status` where a code of its own says more than HTTP does."""

    message: str
    type: str | None = None
    code: str | None = None
    status: int | None = None


def read_error(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> UpstreamRefusal:
    """The refusal that an HTTP error answer tells; plain text and HTML are quoted."""
    try:
        value = json.loads(body) if len(body) <= MAX_READ else None
    except (ValueError, RecursionError):
        value = None
    told = _told(value)
    if told is None:
        text = _MARKUP.sub(" ", body[: 10 * MAX_QUOTED].decode("utf-8", "replace"))
        text = " ".join(text.split())[:MAX_QUOTED]
        told = _Told(text or f"The upstream answered with status {status} and no explanation.")
    if status < 400:
        status = _status(told)
    return _refusal(status, told, value, body, headers or {})


def _refusal(status: int, told: _Told, value: Any, body: bytes, headers: Mapping[str, str]) -> UpstreamRefusal:
    told = replace(told, message=without_internal_addresses(told.message))
    code = None if told.code == str(status) else told.code
    headers = {**_request_id(value), **headers}
    return UpstreamRefusal(status, _type(told, status), told.message, code, headers, body, _is_native(value, told))


def _request_id(value: Any) -> dict[str, str]:
    """The id that Anthropic writes into an error body, as the header that it is elsewhere."""
    given = value.get("request_id") if isinstance(value, dict) else None
    return {"request-id": given} if isinstance(given, str) else {}


def _is_native(value: Any, told: _Told) -> bool:
    """Whether `value` tells that as Anthropic writes an error."""
    error = value.get("error") if isinstance(value, dict) and value.get("type") == "error" else None
    if not isinstance(error, dict) or not isinstance(error.get("type"), str):
        return False
    return error["type"] in _STATUSES and error.get("message") == told.message


def error_in_disguise(value: Any) -> bool:
    """Whether a body that came with status 200 is an error all the same."""
    if not isinstance(value, dict) or (isinstance(value.get("content"), list) and value["content"]):
        return False
    return _told(value) is not None


def stream_error(event: Body) -> UpstreamRefusal:
    """The refusal that an `error` event tells; its status is what the same error would have had as an answer."""
    told = _told(event) or _Told("The upstream reported an error without saying which.")
    return _refusal(_status(told), told, event, _sentence(event).encode(), {})


def _status(told: _Told) -> int:
    """The status of an error that came without one."""
    if told.status is not None:
        return told.status
    if told.type in _STATUSES:
        return _STATUSES[told.type]
    code = int(told.code) if told.code and re.fullmatch(r"[45]\d\d", told.code) else None
    return code or _foreign_status(told) or 500


def _foreign_status(told: _Told) -> int | None:
    return _FOREIGN_TYPES.get(told.type or "") or _FOREIGN_TYPES.get(told.code or "")


def _type(told: _Told, status: int) -> str:
    """Anthropic's type: what a code of the upstream's own means, else its type, else what HTTP says."""
    if told.status is None and told.type in _STATUSES:
        return str(told.type)
    return anthropic_type(told.status or _foreign_status(told) or status)


def _told(value: Any, depth: int = 0) -> _Told | None:
    """What the first known shape tells: Anthropic's, OpenAI's, MiniMax's, FastAPI's, those of Chinese gateways.

    Vertex puts it into an array, Cloudflare's gateway does so with `error`.
    """
    value = _first(value)
    if isinstance(value, str) and value.strip():
        return _coded(value, None, None)
    if not isinstance(value, dict) or depth > MAX_NESTING:
        return None
    error = _first(value.get("error") or value.get("errors"))
    if isinstance(error, dict):
        return _object_told(error, depth)
    if isinstance(error, str) and error:
        return _coded(error, _scalar(value.get("type")), _scalar(value.get("code")))
    base = value.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        code = _scalar(base["status_code"])
        return _Told(_sentence(base.get("status_msg") or base), None, code, _MINIMAX_CODES.get(code or ""))
    return _flat_told(value, depth)


def _flat_told(value: Body, depth: int) -> _Told | None:
    """An error whose parts stand at the top: FastAPI's `detail`, or a message under some name."""
    detail = value.get("detail")
    if isinstance(detail, dict):
        return _told(detail, depth + 1)
    if isinstance(detail, list):
        detail = "; ".join(map(_fastapi_detail, detail))
    # `msg` also stands in answers that are no errors.
    msg = None if value.get("success") is True else value.get("msg")
    messages = (detail, value.get("message"), value.get("Message"), msg)
    message = next((text for text in messages if isinstance(text, str) and text), None)
    return None if message is None else _coded(message, None, _scalar(value.get("code")))


def _object_told(error: Body, depth: int) -> _Told:
    details, code = error.get("details"), error.get("code")
    if code is None and isinstance(details, dict):
        code = details.get("error_code")
    message = error.get("message") or error.get("msg")
    type, code = _scalar(error.get("type")), _scalar(code)
    quoted = _quoted(error)
    inner = _told(error if message is None else _opened(message) or _opened(quoted), depth + 1)
    if inner is not None:
        return replace(inner, type=inner.type or type, code=inner.code or code)
    sentence = _sentence(message or error)
    return _coded(f"{sentence}: {quoted[:MAX_QUOTED]}" if quoted else sentence, type, code)


def _quoted(error: Body) -> str:
    """What a gateway's provider said, which OpenRouter gives beside a message that says nothing of it."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return _sentence(raw) if raw else ""


def _opened(message: Any) -> Any:
    """The error whose JSON text a gateway gives as the message of its own."""
    if not isinstance(message, str) or not message.lstrip().startswith(("{", "[{")):
        return None
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _coded(message: str, type: str | None, code: str | None) -> _Told:
    """With the numeric code that z.ai puts in front of its sentences, and MiniMax behind them."""
    match = _CODE_IN_TEXT.search(message)
    if code in _ZAI_CODES or match is None:
        return _Told(message, type, code, _ZAI_CODES.get(code or ""))
    table = _MINIMAX_CODES if match["minimax"] else _ZAI_CODES
    found = match["minimax"] or match["zai"] or match["named"]
    return _Told(message, type, found if found in table else code, table.get(found))


def _fastapi_detail(item: Any) -> str:
    if not isinstance(item, dict):
        return _sentence(item)
    path = item.get("loc")
    steps = [str(step) for step in path if step != "body"] if isinstance(path, list) else []
    return f"{'.'.join(steps)}: {_sentence(item.get('msg'))}"


def _scalar(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _sentence(value: Any) -> str:
    """`value` as text, encodable and in one piece; what is no string is quoted as JSON."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = ""
    return text.encode("utf-8", "replace").decode()
