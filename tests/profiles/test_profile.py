"""What each model and upstream accepts, row by row, against Anthropic's model table and the others' pages."""

from dataclasses import replace
from typing import Any

import pytest

from app.profiles.known_models import ALL_EFFORTS, LOW_HIGH_MAX, LOW_TO_HIGH, LOW_TO_MAX
from app.profiles.profile import Profile, overridden, profile_for
from tests.fake_upstream.profiles import CLAUDE_FAMILIES

ANTHROPIC = "api.anthropic.com"
ENABLED, ADAPTIVE, SWITCHABLE = ("enabled", "disabled"), ("adaptive",), ("adaptive", "disabled")

# sampling, thinking, thinks unasked, efforts, prefill, forced tools, largest max_tokens
CLAUDE: dict[str, tuple[str, tuple[str, ...], bool, tuple[str, ...], bool, bool, int]] = {
    "claude-3-haiku-20240307": ("all", (), False, (), True, True, 4_096),
    "claude-3-5-sonnet-20241022": ("all", (), False, (), True, True, 8_192),
    "claude-3-7-sonnet-20250219": ("all", ENABLED, False, (), True, True, 64_000),
    "claude-sonnet-4-20250514": ("all", ENABLED, False, (), True, True, 64_000),
    "claude-opus-4-20250514": ("all", ENABLED, False, (), True, True, 32_000),
    "claude-opus-4-1-20250805": ("one", ENABLED, False, (), True, True, 32_000),
    "claude-haiku-4-5-20251001": ("one", ENABLED, False, (), True, True, 64_000),
    "claude-sonnet-4-5-20250929": ("one", ENABLED, False, (), True, True, 64_000),
    "claude-opus-4-5-20251101": ("one", ENABLED, False, LOW_TO_HIGH, True, True, 64_000),
    "claude-opus-4-6": ("one", ("enabled", "adaptive", "disabled"), False, LOW_TO_MAX, False, True, 128_000),
    "claude-sonnet-4-6": ("one", ("enabled", "adaptive", "disabled"), False, LOW_TO_MAX, False, True, 128_000),
    "claude-opus-4-7": ("none", SWITCHABLE, False, ALL_EFFORTS, False, True, 128_000),
    "claude-opus-4-8": ("none", SWITCHABLE, False, ALL_EFFORTS, False, True, 128_000),
    "claude-sonnet-5": ("none", SWITCHABLE, True, ALL_EFFORTS, False, True, 128_000),
    "claude-opus-5": ("none", SWITCHABLE, True, ALL_EFFORTS, False, True, 128_000),
    "claude-fable-5": ("none", ADAPTIVE, True, ALL_EFFORTS, False, True, 128_000),
    "claude-mythos-5": ("none", ADAPTIVE, True, ALL_EFFORTS, False, True, 128_000),
    "claude-fable-5-1": ("none", ADAPTIVE, True, ALL_EFFORTS, False, False, 128_000),
    "claude-mythos-5-2": ("none", ADAPTIVE, True, ALL_EFFORTS, False, False, 128_000),
    "claude-opus-5-5": ("none", ADAPTIVE, True, ALL_EFFORTS, False, False, 128_000),
    "claude-sonnet-5-5": ("none", ("adaptive", "between_tools"), True, ALL_EFFORTS, False, False, 128_000),
    "claude-haiku-5-5": ("none", SWITCHABLE, False, ALL_EFFORTS, False, True, 128_000),
}


@pytest.mark.parametrize("model", CLAUDE)
def test_claude(model: str) -> None:
    found = profile_for(ANTHROPIC, model)
    assert (
        found.sampling,
        found.thinking,
        found.thinks_unasked,
        found.efforts,
        found.prefill,
        found.forced_tool_choice,
        found.max_output_tokens,
    ) == CLAUDE[model]
    assert found.tool_name_length == 128
    assert found.loop_thinking
    assert not found.unsigned_thinking


@pytest.mark.parametrize("model", CLAUDE_FAMILIES)
def test_no_claude_is_credited_with_what_it_refuses(model: str) -> None:
    found, real = profile_for(ANTHROPIC, model), CLAUDE_FAMILIES[model]
    assert set(found.thinking) <= set(real.thinking_types)
    assert set(found.efforts) <= set(real.efforts)
    assert found.prefill <= real.prefill
    assert found.forced_tool_choice <= real.forced_tool_choice
    assert found.structured_outputs <= real.structured_output
    assert found.system_messages <= (real.system_role_refusal is None)
    assert found.tool_name_length <= real.tool_name_length
    assert found.thinks_unasked == real.thinks_by_default


SAME: list[tuple[str, list[str]]] = [
    (
        "claude-sonnet-4-5",
        [
            "claude-sonnet-4.5",
            "Claude-Sonnet-4-5",
            "claude-4-5-sonnet",
            "claude-4.5-sonnet-20250929",
            "anthropic/claude-sonnet-4.5",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5[1m]",
            "claude-sonnet-4-5-latest",
            "openrouter/anthropic/claude-sonnet-4.5:beta",
        ],
    ),
    ("claude-sonnet-4", ["claude-4-sonnet", "claude-sonnet-4-20250514", "anthropic.claude-sonnet-4-20250514-v1:0"]),
    ("claude-3-7-sonnet", ["claude-3.7-sonnet", "claude-3-7-sonnet-latest", "anthropic/claude-3.7-sonnet:thinking"]),
    ("claude-3-haiku", ["claude-2.1", "claude-instant-1.2", "anthropic.claude-v2:1"]),
    ("claude-opus-5-5", ["claude-opus-5.5", "claude-opus-5-5-20261001", "claude-opus-5-5[1m]"]),
    ("claude-opus-4-6", ["claude-opus-4-6-fast", "claude-opus-4.6"]),
    (
        # Families and versions of tomorrow, and names without a version, count as the newest.
        "claude-opus-5-5",
        [
            "claude-opus-6",
            "claude-sonnet-7-2",
            "claude-saga-1",
            "claude-opus",
            "claude-opus-latest",
            "claude-opus-5-9",
            "claude",
        ],
    ),
    ("glm-4.6", ["glm-4.7", "glm-4.7-flash", "GLM-4.6", "zai-org/GLM-4.6", "glm-4.6v", "z-ai/glm-4.6:free"]),
    ("glm-4.5", ["glm-4.5-air", "glm-4.5v", "glm-4.5-flash"]),
    ("glm-5", ["glm-5.3-flash", "glm-5-turbo", "glm-5v-turbo", "glm-5-code", "glm-5.1"]),
    ("kimi-k2.7-code", ["kimi-for-coding"]),
    ("MiniMax-M2.5", ["minimax-m2", "MiniMaxAI/MiniMax-M2.1"]),
]


@pytest.mark.parametrize(("model", "names"), SAME, ids=lambda value: value if isinstance(value, str) else "")
def test_one_model_by_many_names(model: str, names: list[str]) -> None:
    for name in names:
        assert profile_for(ANTHROPIC, name) == profile_for(ANTHROPIC, model), name


OTHERS: dict[tuple[str, str], dict[str, Any]] = {
    ("api.z.ai", "glm-4.6"): {
        "thinking": ENABLED,
        "thinks_unasked": True,
        "loop_thinking": False,
        "unsigned_thinking": True,
        "efforts": (),
        "max_output_tokens": 131_072,
    },
    ("open.bigmodel.cn", "glm-5.2"): {"thinking": ("enabled",), "efforts": LOW_HIGH_MAX, "always_thinks": True},
    ("api.deepseek.com", "deepseek-v4-pro"): {
        "thinking": ENABLED,
        "thinks_unasked": True,
        "loop_thinking": True,
        "efforts": LOW_HIGH_MAX,
        "forced_tool_choice_while_thinking": False,
        "cache_ttl": False,
        "max_output_tokens": 393_216,
    },
    ("api.moonshot.ai", "kimi-k2.5"): {"thinking": ENABLED, "verbatim_tool_ids": True, "zero_sampling": False},
    ("api.kimi.com", "kimi-for-coding"): {"thinking": ("enabled",), "always_thinks": True, "verbatim_tool_ids": True},
    ("api.minimaxi.com", "MiniMax-M2.5"): {
        "thinking": ("enabled",),
        "always_thinks": True,
        "zero_sampling": False,
        "stop_sequences": False,
        "efforts": (),
    },
    ("localhost:11434", "qwen3-coder"): {"image_urls": False, "efforts": LOW_TO_HIGH, "unsigned_thinking": True},
    ("localhost:8080", "my-model"): {
        "thinking": ENABLED,
        "unsigned_thinking": False,
        "sampling": "one",
        "prefill": True,
    },
}


@pytest.mark.parametrize(("host", "model"), OTHERS)
def test_other_upstreams(host: str, model: str) -> None:
    found = profile_for(host, model)
    assert {name: getattr(found, name) for name in OTHERS[host, model]} == OTHERS[host, model]
    anthropics_own = ("structured_outputs", "service_tier", "anthropic_extensions", "system_messages")
    assert not any(getattr(found, name) for name in anthropics_own)
    assert found.tool_name_length == 64


@pytest.mark.parametrize(
    "host", ["api.z.ai", "open.bigmodel.cn", "api.deepseek.com", "api.moonshot.ai", "api.minimax.io"]
)
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-4-5", "claude-3-5-haiku"])
def test_a_host_that_maps_claude_names_is_not_a_claude(host: str, model: str) -> None:
    family = {"api.z.ai": "glm-", "open.bigmodel.cn": "glm-", "api.deepseek.com": "deepseek"}.get(host)
    family = family or ("kimi" if "moonshot" in host else "minimax")
    assert profile_for(host, model) == profile_for("localhost", family)


def test_only_anthropic_keeps_threads() -> None:
    assert profile_for(ANTHROPIC, "claude-opus-5-5").message_threads
    for host in ("api.z.ai", "sandbox", "anthropic.com.example.net", "notanthropic.com", "localhost:8080"):
        assert not profile_for(host, "claude-opus-5-5").message_threads


def test_a_host_is_no_mere_suffix() -> None:
    assert profile_for("notz.ai", "m") == profile_for("localhost", "m") == Profile()
    assert profile_for("z.ai:8443", "m").unsigned_thinking


def test_models_are_known_wherever_they_are_served() -> None:
    threadless = replace(profile_for(ANTHROPIC, "claude-opus-5-5"), message_threads=False)
    assert profile_for("gateway.example.com", "anthropic/claude-opus-5.5") == threadless
    assert profile_for("gateway.example.com", "zai/glm-4.6") == profile_for("api.z.ai", "glm-4.6")


def test_overrides_go_by_pattern() -> None:
    changes = {"my-*": {"prefill": False, "efforts": ["low"]}, "other": {"sampling": "none"}}
    found = overridden(Profile(), "my-model", changes)
    assert found == Profile(prefill=False, efforts=("low",))
    assert overridden(Profile(), "a-my-model", changes) == Profile()


@pytest.mark.parametrize(
    "changes",
    [
        {"prefil": False},
        {"prefill": "no"},
        {"prefill": 1},
        {"sampling": "some"},
        {"efforts": ["huge"]},
        {"thinking": [5]},
    ],
)
def test_an_override_that_makes_no_sense_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"m.{next(iter(changes))}"):
        overridden(Profile(), "m", {"m": changes})


def test_the_former_name_of_a_field_is_answered_with_the_new_one() -> None:
    with pytest.raises(ValueError, match=r"m\.web_search: this field is called anthropic_extensions now"):
        overridden(Profile(), "m", {"m": {"web_search": True}})
