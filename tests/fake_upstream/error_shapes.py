"""Error bodies seen from gateways of many kinds, by the name that `[[error-shape:...]]` gives them."""

from collections.abc import Callable

from .rendering import encoded

ErrorShape = Callable[[int, str, str], tuple[str, bytes]]
"""(status, type, message) -> (content type, body)."""

JSON = "application/json"

ERROR_SHAPES: dict[str, ErrorShape] = {
    "anthropic": lambda _, kind, text: (
        JSON,
        encoded({"type": "error", "error": {"type": kind, "message": text}}),
    ),
    "openai": lambda status, kind, text: (
        JSON,
        encoded({"error": {"message": text, "type": kind, "code": str(status), "param": None}}),
    ),
    "text": lambda _, __, text: (JSON, encoded({"error": text})),
    "detail": lambda _, __, text: (JSON, encoded({"detail": text})),
    "detail-list": lambda _, __, text: (
        JSON,
        encoded({"detail": [{"type": "literal_error", "loc": ["body", "messages", 1, "role"], "msg": text}]}),
    ),
    "message": lambda _, __, text: (JSON, encoded({"message": text})),
    "msg": lambda status, __, text: (JSON, encoded({"msg": text, "code": status, "success": False})),
    "base_resp": lambda _, __, text: (
        JSON,
        encoded({"base_resp": {"status_code": 1002, "status_msg": text}}),
    ),
    "code": lambda _, __, text: (JSON, encoded({"error": {"code": "1113", "message": text}})),
    "plain": lambda _, __, text: ("text/plain", text.encode()),
    "html": lambda _, __, text: ("text/html", f"<html><body><h1>{text}</h1></body></html>".encode()),
    "nothing": lambda _, __, ___: (JSON, b""),
}
