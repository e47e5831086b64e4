"""Which rules apply to which model: families by name, lenient upstreams, strictness, count_tokens, order."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.fake_upstream import (
    LEGACY,
    LEGAL_HEADERS,
    V46,
    V47,
    V55,
    ModelProfile,
    profile_for,
    refusal,
    rules_capabilities,
)
from tests.fake_upstream.cases import (
    ADAPTIVE,
    CACHED,
    CALL,
    ENABLED,
    LONG,
    PDF,
    RESULT,
    SCHEMA,
    TEXT,
    TOOL,
    Case,
    answered,
    body,
    document,
    image,
    looped,
    png,
    rules_without_a_case,
    thought,
    url_image,
)
from tests.fake_upstream.profiles import (
    DEEPSEEK,
    GLM,
    GLM_ALWAYS_THINKING,
    KIMI,
    KIMI_CODE,
    LENIENT,
    MINIMAX,
    Enforced,
)
from tests.fake_upstream.terms import Body

BASE64_ONLY = replace(LENIENT, image_urls=False, enforced=Enforced.CAPABILITIES)
DISABLED = {"type": "disabled"}
FORCED = {"type": "tool", "name": "get_weather"}
CAPABILITIES = [
    Case("system role at DeepSeek", body("a", ("system", "b")), "unknown variant system", body(), DEEPSEEK),
    Case("system role at MiniMax", body("a", ("system", "b")), "role: system (2013)", body(), MINIMAX),
    Case(
        "call without result at DeepSeek",
        body("a", ("assistant", [CALL]), "b", tools=[TOOL]),
        "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        looped(),
        DEEPSEEK,
    ),
    Case("custom tool type", body(tools=[{**TOOL, "type": "custom"}]), "custom", body(tools=[TOOL]), DEEPSEEK),
    Case("image for a text model", body([image(png())]), "does not support image input", body(), MINIMAX),
    Case(
        "image URL where base64 is needed",
        body([url_image("https://example.com/a.png")]),
        "only base64 is supported",
        body([image(png())]),
        BASE64_ONLY,
    ),
    Case(
        "disabled thinking of newer GLM",
        body(thinking=DISABLED),
        "This model always engages in thinking and cannot be disabled",
        body(thinking=DISABLED),
        GLM_ALWAYS_THINKING,
        accepting_profile=GLM,
    ),
    Case(
        "disabled thinking of Kimi's coding model",
        body(thinking=DISABLED),
        "invalid thinking: only type=enabled is allowed for this model",
        body(thinking={"type": "enabled"}),
        KIMI_CODE,
    ),
    Case(
        "disabled thinking with effort at DeepSeek",
        body(thinking=DISABLED, output_config={"effort": "high"}),
        "thinking options type cannot be disabled when reasoning_effort is set",
        body(thinking=DISABLED),
        DEEPSEEK,
    ),
    Case(
        "forced tool while thinking at DeepSeek",
        body(tools=[TOOL], tool_choice=FORCED, thinking=ENABLED, max_tokens=LONG),
        "Thinking mode does not support this tool_choice",
        body(tools=[TOOL], tool_choice=FORCED),
        DEEPSEEK,
    ),
]


@pytest.mark.parametrize("case", CAPABILITIES, ids=lambda case: case.rule)
def test_lenient_upstreams_refuse_what_their_models_lack(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert rules_without_a_case(rules_capabilities.RULES, CAPABILITIES) == []


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-4-5-20250929", LEGACY.name),
        ("claude-haiku-4-5", LEGACY.name),
        ("claude-opus-4-6[1m]", V46.name),
        ("claude-sonnet-4-6", V46.name),
        ("claude-opus-4-7-latest", V47.name),
        ("claude-opus-4-8", "claude-opus-4.8"),
        ("claude-opus-5", "claude-opus-5"),
        ("claude-opus-5-20260801", "claude-opus-5"),
        ("claude-opus-5-5", V55.name),
        ("claude-fable-5-2", V55.name),
        ("claude-sonnet-5-5", "claude-sonnet-5.5"),
        ("claude-opus-4-1-20250805", "claude-4 and before"),
        ("glm-4.6", GLM.name),
        ("glm-5.1", "glm-5"),
        ("glm-5", "glm-5"),
        ("deepseek-v4-pro", DEEPSEEK.name),
        ("kimi-k2.7-code", KIMI_CODE.name),
        ("moonshot-v1", KIMI.name),
        ("MiniMax-M2", MINIMAX.name),
        ("qwen3-coder", LENIENT.name),
    ],
)
def test_a_model_belongs_to_the_family_of_its_name(model: str, name: str) -> None:
    profile = profile_for(model)
    assert profile is not None
    assert profile.name == name


@pytest.mark.parametrize("model", ["claude-does-not-exist", "claude-opus-9", "gpt-4o", "o3", "does-not-exist"])
def test_nobody_serves_other_vendors_and_invented_models(model: str) -> None:
    assert profile_for(model, strict=True) is None


ILLEGAL_ANYWHERE = {
    "unknown field": body(seed=1),
    "unknown block field": body([{"type": "text", "text": "a", "x": 1}]),
    "unknown block": body([{"type": "video"}]),
    "blank text": body(" "),
    "system role": body("a", ("system", "b")),
    "orphan": body([RESULT], tools=[TOOL]),
    "repeated tools": body(tools=[TOOL, TOOL]),
    "broken image": body([image(b"x")]),
}


@pytest.mark.parametrize("refused", ILLEGAL_ANYWHERE.values(), ids=ILLEGAL_ANYWHERE)
def test_strictness_turns_every_rule_on_for_a_lenient_family(refused: Body) -> None:
    lenient, strict = profile_for("glm-4.6"), profile_for("glm-4.6", strict=True)
    assert lenient is not None
    assert strict is not None
    assert refusal(refused, lenient) is None
    assert refusal(refused, strict) is not None


UNSIGNED = {"type": "thinking", "thinking": "hmm"}
KEPT = {
    "thinking without a budget": ("glm-4.6", body(thinking={"type": "enabled"})),
    "unsigned thinking": ("deepseek-chat", answered(UNSIGNED)),
    "effort": ("deepseek-chat", body(output_config={"effort": "max"})),
    "ids of its own": (
        "kimi-k2",
        looped({**CALL, "id": "functions.f:0"}, result={**RESULT, "tool_use_id": "functions.f:0"}),
    ),
}


@pytest.mark.parametrize(("model", "accepted"), KEPT.values(), ids=KEPT)
def test_strictness_keeps_a_family_s_capabilities(model: str, accepted: Body) -> None:
    profile = profile_for(model, strict=True)
    assert profile is not None
    assert refusal(accepted, profile) is None


def test_wrong_types_are_refused_even_by_lenient_upstreams() -> None:
    found = refusal(body(max_tokens="many"), GLM, {})
    assert found is not None
    assert found.message == "max_tokens: Input should be a valid integer"


ODD_VALUES: list[Any] = [None, True, -1, 1.5, "", " ", [], {}, [[]], [{}], {"type": "text"}, {"type": []}, "#/x"]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value inside."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize("profile", [LEGACY, V55, GLM, DEEPSEEK], ids=lambda each: each.name)
def test_any_value_anywhere_is_judged_without_a_crash(profile: ModelProfile) -> None:
    whole = looped(
        [thought(), CALL],
        result=[{**RESULT, "content": [TEXT, image(png())]}, document(PDF, title="x")],
        system=[{**TEXT, **CACHED}],
        tool_choice=FORCED,
        thinking=ADAPTIVE,
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    for place in range(sum(1 for _ in _places(whole))):
        for value in ODD_VALUES:
            changed = copy.deepcopy(whole)
            container, key = list(_places(changed))[place]
            container[key] = value
            refusal(changed, profile)


def test_counting_takes_no_max_tokens() -> None:
    counted = {name: value for name, value in body(tools=[]).items() if name != "max_tokens"}
    assert refusal(counted, LEGACY, LEGAL_HEADERS, counting=True) is None
    found = refusal(body(), LEGACY, LEGAL_HEADERS, counting=True)
    assert found is not None
    assert found.message == "max_tokens: Extra inputs are not permitted"


def test_the_first_violation_in_the_documented_order_is_reported() -> None:
    broken = body(
        "a",
        ("assistant", [CALL]),
        " ",
        tools=[TOOL, TOOL],
        thinking=ADAPTIVE,
        output_config={"format": {"type": "json_schema", "schema": {"type": "any"}}},
        seed=1,
    )
    mended: list[tuple[str, Body]] = [
        ("x-api-key header is required", {}),
        ("seed: Extra inputs are not permitted", {"seed": None}),
        ("messages: text content blocks must contain non-whitespace text", {"messages": "b"}),
        ("messages.1: `tool_use` ids were found without", {"messages": RESULT}),
        ("tools: Tool names must be unique.", {"tools": [TOOL]}),
        ("adaptive thinking is not supported on this model", {"thinking": {"type": "disabled"}}),
        ("output_config.format.schema: JSON schema is invalid.", {}),
    ]
    headers: dict[str, str] = {}
    for message, change in mended:
        found = refusal(broken, LEGACY, headers)
        assert found is not None
        assert found.message.startswith(message)
        headers = dict(LEGAL_HEADERS)
        broken = _changed(broken, change)


def _changed(sent: Body, change: Body) -> Body:
    """The body with the change: None removes a field, under `messages` stands the new last content."""
    if "messages" in change:
        last = change["messages"] if isinstance(change["messages"], str) else [change["messages"]]
        return {**sent, "messages": [*sent["messages"][:-1], {"role": "user", "content": last}]}
    return {name: value for name, value in {**sent, **change}.items() if value is not None}


LENIENT_PREFIXES = {
    "cache_control": answered(thought(), system=[{"type": "text", "text": "be kind"}]),
    "string for one block": answered(thought(), system="be kind"),
    "outer blanks": answered(thought(), system=" be kind\n"),
}


@pytest.mark.parametrize("resent", LENIENT_PREFIXES.values(), ids=LENIENT_PREFIXES)
def test_a_changed_prefix_is_told_from_a_prefix_written_differently(resent: Body) -> None:
    asked = body(
        [
            {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": " x"},
        ],
        system=[{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        tools=[TOOL, {**TOOL, "name": "other"}],
    )
    block = thought(asked=asked)
    first = {"role": "user", "content": [{"type": "text", "text": "hello "}, {"text": "x", "type": "text"}]}
    second = {"role": "assistant", "content": [block, {"type": "text", "text": "hi"}]}
    again = {
        **resent,
        "tools": [{**TOOL, "name": "other"}, dict(reversed(TOOL.items()))],
        "messages": [first, second, {"role": "user", "content": "bye"}],
    }
    assert refusal(again, V55) is None
    changed = {**again, "messages": [{"role": "user", "content": "hello"}, *again["messages"][1:]]}
    found = refusal(changed, V55)
    assert found is not None
    assert "bound to a different conversation" in found.message
