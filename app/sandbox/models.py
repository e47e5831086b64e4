"""The sandbox's model list. Any other model name is answered too; these are what GET /v1/models shows."""

from typing import Any
from urllib.parse import parse_qs

from app.sandbox.api_error import ApiError

Json = dict[str, Any]

_CREATED_AT = "2026-01-01T00:00:00Z"
_NAMES = {"glm-4.5": "GLM 4.5", "glm-4.5v": "GLM 4.5 V", "sandbox": "Sandbox"}


def model_list(query: str) -> Json:
    """`{"data": [...], "has_more", "first_id", "last_id"}`; `query` may hold limit, after_id and before_id.

    Raises ApiError 400 for a limit outside 1..1000.
    """
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    limit = asked.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:5]) <= 1_000):
        raise ApiError(400, "limit: Input should be a valid integer between 1 and 1000")
    ids = list(_NAMES)
    if asked.get("after_id") in ids:
        ids = ids[ids.index(asked["after_id"]) + 1 :]
    if asked.get("before_id") in ids:
        ids = ids[: ids.index(asked["before_id"])]
    shown = ids[: int(limit)]
    return {
        "data": [model(model_id) for model_id in shown],
        "has_more": len(ids) > len(shown),
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def model(model_id: str) -> Json:
    """One entry of the list. Raises ApiError 404 for a name that is not on it."""
    if model_id not in _NAMES:
        raise ApiError(404, f"model: {model_id}")
    return {
        "type": "model",
        "id": model_id,
        "display_name": _NAMES[model_id],
        "created_at": _CREATED_AT,
        "lifecycle": "active",
        "line": None,
    }
