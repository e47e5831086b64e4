"""The model list of the fake, in Anthropic's shape and in OpenAI's."""

from collections.abc import Mapping
from typing import Any

from .profiles import ALL_EFFORTS, CLAUDE_FAMILIES, ModelProfile

THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
LOCAL_MODELS = ("qwen3-coder", "gpt-oss-20b")


def _supported(flag: bool) -> dict[str, bool]:
    return {"supported": flag}


def _capabilities(profile: ModelProfile) -> dict[str, Any]:
    return {
        "image_input": _supported(profile.image_input),
        "structured_outputs": _supported(profile.structured_output),
        "effort": {
            **_supported(bool(profile.efforts)),
            **{level: _supported(level in profile.efforts) for level in ALL_EFFORTS},
        },
        "thinking": {
            **_supported(bool(profile.thinking_types)),
            "types": {kind: _supported(kind in profile.thinking_types) for kind in THINKING_TYPES},
        },
    }


def model(name: str) -> dict[str, Any] | None:
    """One model, None for an unknown one."""
    profile = CLAUDE_FAMILIES.get(name)
    if profile is None:
        return None
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-02-05T00:00:00Z",
        "max_input_tokens": profile.context_window,
        "max_tokens": profile.max_tokens,
        "lifecycle": "active",
        "line": name.split("-")[1],
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": _capabilities(profile),
    }


def page(query: Mapping[str, list[str]]) -> dict[str, Any]:
    """The page that `limit` and `after_id` select."""
    names = list(CLAUDE_FAMILIES)
    after = query.get("after_id", [""])[0]
    start = names.index(after) + 1 if after in names else 0
    limit = int(query.get("limit", ["20"])[0])
    shown = names[start : start + limit]
    return {
        "data": [model(name) for name in shown],
        "has_more": start + limit < len(names),
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def openai_list() -> dict[str, Any]:
    """The whole list of a local server."""
    data = [{"id": name, "object": "model", "created": 1_770_000_000, "owned_by": "local"} for name in LOCAL_MODELS]
    return {"object": "list", "data": data}
