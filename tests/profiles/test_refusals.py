"""app/profiles/refusals.py: what each phrase changes in a profile, and whether it holds beyond one conversation."""

from typing import Any

import pytest

from app.profiles.known_models import ALL_EFFORTS
from app.profiles.lessons import lesson
from app.profiles.profile import Profile
from app.profiles.refusals import REFUSALS

NOT_ENABLED = '"thinking.type.enabled" is not supported for this model'
NOT_ADAPTIVE = "adaptive thinking is not supported on this model"

CHANGES: list[tuple[str, Profile, dict[str, Any]]] = [
    (
        NOT_ENABLED,
        Profile(thinking=("enabled", "disabled"), efforts=()),
        {"thinking": ("adaptive", "disabled"), "efforts": ALL_EFFORTS},
    ),
    (
        NOT_ENABLED,
        Profile(thinking=("enabled", "adaptive", "disabled"), efforts=("low", "high")),
        {"thinking": ("adaptive", "disabled"), "efforts": ("low", "high")},
    ),
    (
        NOT_ADAPTIVE,
        Profile(thinking=("enabled", "adaptive"), thinks_unasked=True),
        {"thinking": ("enabled",), "thinks_unasked": False},
    ),
    (
        NOT_ADAPTIVE,
        Profile(thinking=("adaptive",), thinks_unasked=True),
        {"thinking": ("enabled", "disabled"), "thinks_unasked": False},
    ),
    (
        '"thinking.type.disabled" is not supported for this model',
        Profile(thinking=("adaptive", "disabled")),
        {"thinking": ("adaptive",)},
    ),
    (
        '"thinking.type.between_tools" is not supported for this model',
        Profile(thinking=("between_tools", "disabled")),
        {"thinking": ("disabled",)},
    ),
    (
        "this model always engages in thinking, please use low, high or max",
        Profile(thinking=("enabled", "disabled"), efforts=()),
        {"thinking": ("enabled",), "thinks_unasked": True, "efforts": ("low", "high", "max")},
    ),
    (
        "invalid thinking: only type=enabled is allowed for this model",
        Profile(thinking=("enabled", "disabled"), efforts=("low",)),
        {"thinking": ("enabled",), "thinks_unasked": True, "efforts": ("low",)},
    ),
    (
        "This model does not support effort level 'max'. Supported levels: high, low, medium.",
        Profile(efforts=ALL_EFFORTS),
        {"efforts": ("low", "medium", "high")},
    ),
    (
        "max_tokens: 64000 > 32000, which is the maximum allowed",
        Profile(max_output_tokens=64_000),
        {"max_output_tokens": 32_000},
    ),
    (
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        Profile(max_output_tokens=64_000),
        {"max_output_tokens": 8192},
    ),
    (
        "input length and `max_tokens` exceed context limit: 150000 + 64000 > 200000",
        Profile(max_output_tokens=64_000),
        {"max_output_tokens": 50_000},
    ),
    (
        "exceed context limit: 199999 + 64000 > 200000",
        Profile(max_output_tokens=64_000),
        {"max_output_tokens": 1},
    ),
    ("tools.0.name: String should have at most 64 characters", Profile(tool_name_length=128), {"tool_name_length": 64}),
    (
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        Profile(tool_name_length=200),
        {"tool_name_length": 128},
    ),
    (
        "metadata.user_id: String should have at most 256 characters",
        Profile(refused_fields=("container",)),
        {"refused_fields": ("container", "metadata")},
    ),
]


@pytest.mark.parametrize(("message", "profile", "changes"), CHANGES, ids=lambda v: v[:50] if isinstance(v, str) else "")
def test_what_a_refusal_changes(message: str, profile: Profile, changes: dict[str, Any]) -> None:
    learned = lesson(message, profile)
    assert learned is not None
    assert learned.changes == changes


@pytest.mark.parametrize("used", [200_000, 250_000])
def test_a_full_context_teaches_nothing_of_max_tokens(used: int) -> None:
    assert lesson(f"exceed context limit: {used} + 64000 > 200000", Profile(max_output_tokens=64_000)) is None


def test_only_what_says_something_of_the_conversation_is_forgotten_with_it() -> None:
    once = [(name, phrase) for name, phrase, _, lasting in REFUSALS if not lasting]
    assert [name for name, _ in once] == ["thinking blocks", "structured outputs", "max_tokens"]
    assert "Too many strict tools" in once[1][1]
    assert "exceed context limit" in once[2][1]
