"""Every way to ask for reasoning, for every kind of model."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile, profile_for
from tests.translate.requests import WEATHER, Json, body, call, result, translation, user

ADAPTIVE = {"type": "adaptive", "display": "summarized"}
OFF = {"type": "disabled"}
HAIKU, OPUS46, OPUS47, OPUS5, FABLE, NEWEST = (
    "claude-haiku-4-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-5",
    "claude-fable-5",
    "claude-opus-5-5",
)


def budget(tokens: int) -> Json:
    return {"type": "enabled", "budget_tokens": tokens}


# model, what the client asks for, `thinking` and `output_config.effort` to be sent
PLANS: list[tuple[str, Json, Json | None, str | None]] = [
    (HAIKU, {}, None, None),
    (HAIKU, {"reasoning_effort": "none"}, None, None),
    (HAIKU, {"reasoning_effort": "minimal"}, budget(1024), None),
    (HAIKU, {"reasoning_effort": "low"}, budget(2048), None),
    (HAIKU, {"reasoning_effort": "medium"}, budget(8192), None),
    (HAIKU, {"reasoning_effort": "high"}, budget(16384), None),
    (HAIKU, {"reasoning_effort": "xhigh"}, budget(24576), None),
    (HAIKU, {"reasoning_effort": "high", "max_tokens": 4000}, budget(2000), None),
    (HAIKU, {"reasoning_effort": "high", "max_tokens": 2000}, None, None),
    (HAIKU, {"reasoning": {"max_tokens": 5000}}, budget(5000), None),
    (HAIKU, {"reasoning": {"max_tokens": 0}}, None, None),
    (HAIKU, {"reasoning": {"effort": "low"}}, budget(2048), None),
    (HAIKU, {"reasoning": {"enabled": True}}, budget(8192), None),
    (HAIKU, {"reasoning": {"enabled": False, "effort": "high"}}, None, None),
    (HAIKU, {"thinking": {"type": "enabled", "budget_tokens": 3000}}, budget(3000), None),
    (HAIKU, {"thinking": {"type": "enabled", "budget_tokens": 10}}, budget(1024), None),
    (HAIKU, {"thinking": {"type": "adaptive"}}, budget(8192), None),
    (HAIKU, {"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, None, None),
    (HAIKU, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, budget(16384), None),
    (HAIKU, {"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, budget(8192), None),
    (HAIKU, {"thinking": {"type": "enabled"}, "reasoning": {"effort": "low"}}, budget(2048), None),
    (HAIKU, {"thinking": {"type": "enabled", "budget_tokens": 3000}, "reasoning_effort": "high"}, budget(3000), None),
    (HAIKU, {"reasoning": {"enabled": True}, "reasoning_effort": "low"}, budget(2048), None),
    (HAIKU, {"reasoning": {"exclude": True}, "reasoning_effort": "low"}, budget(2048), None),
    (HAIKU, {"chat_template_kwargs": {"thinking": True}}, budget(8192), None),
    (HAIKU, {"chat_template_kwargs": {"thinking": True}, "reasoning_effort": "low"}, budget(2048), None),
    (OPUS5, {"chat_template_kwargs": {"thinking": False}}, OFF, None),
    (HAIKU, {"enable_thinking": True}, budget(8192), None),
    (HAIKU, {"chat_template_kwargs": {"enable_thinking": True}}, budget(8192), None),
    (HAIKU, {"enable_thinking": False}, None, None),
    ("claude-3-5-haiku", {"reasoning_effort": "high"}, None, None),
    ("claude-opus-4-5", {"reasoning_effort": "max"}, budget(32_000), "high"),
    (OPUS46, {"reasoning_effort": "high"}, ADAPTIVE, "high"),
    (OPUS46, {"reasoning_effort": "xhigh"}, ADAPTIVE, "max"),
    (OPUS46, {"reasoning": {"max_tokens": 5000}}, budget(5000), None),
    (OPUS47, {}, None, None),
    (OPUS47, {"reasoning_effort": "minimal"}, ADAPTIVE, "low"),
    (OPUS47, {"thinking": {"type": "enabled", "budget_tokens": 9000}}, ADAPTIVE, "high"),
    (OPUS47, {"thinking": {"type": "adaptive", "display": "omitted"}}, ADAPTIVE | {"display": "omitted"}, None),
    (OPUS5, {}, ADAPTIVE, None),
    (OPUS5, {"reasoning_effort": "none"}, OFF, None),
    (FABLE, {"reasoning_effort": "none"}, None, "low"),
    ("claude-sonnet-5-5", {"reasoning_effort": "none"}, {"type": "between_tools"}, None),
    (NEWEST, {}, ADAPTIVE, None),
    (NEWEST, {"reasoning_effort": "max"}, ADAPTIVE, "max"),
    (NEWEST, {"reasoning_effort": "none"}, None, "low"),
    ("claude-haiku-5-5", {}, None, None),
    ("glm-4.6", {}, None, None),
    ("glm-4.6", {"reasoning_effort": "none"}, OFF, None),
    ("glm-4.6", {"reasoning_effort": "medium"}, budget(8192), None),
    ("glm-5.2", {"reasoning_effort": "none"}, None, "low"),
    ("glm-5.2", {"reasoning_effort": "medium"}, budget(8192), "high"),
    ("deepseek-v4-pro", {"reasoning_effort": "none"}, OFF, None),
    ("deepseek-v4-pro", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, budget(32_768), "max"),
    ("deepseek-v4-pro", {"reasoning_effort": "minimal"}, budget(1024), "low"),
    ("deepseek-v4-pro", {"reasoning_effort": "medium"}, budget(8192), "high"),
    ("deepseek-v4-pro", {"reasoning_effort": "xhigh"}, budget(24_576), "max"),
    ("kimi-k2.5", {"reasoning_effort": "none"}, OFF, None),
    ("kimi-k2.7-code", {"reasoning_effort": "none"}, None, None),
    ("MiniMax-M2.5", {"reasoning_effort": "none"}, None, None),
    ("MiniMax-M2.5", {"reasoning_effort": "low"}, budget(2048), None),
]


@pytest.mark.parametrize(("model", "fields", "thinking", "effort"), PLANS, ids=lambda value: str(value)[:60])
def test_a_wish_becomes_what_the_model_takes(
    model: str, fields: Json, thinking: Json | None, effort: str | None
) -> None:
    sent = body(model=model, **fields)
    assert sent.get("thinking") == thinking
    assert (sent.get("output_config") or {}).get("effort") == effort
    assert sent.get("thinking", {}).get("budget_tokens", 0) < sent["max_tokens"]


@pytest.mark.parametrize(
    ("model", "fields", "told"),
    [
        (
            HAIKU,
            {"reasoning_effort": "high", "max_tokens": 2000},
            "reasoning_effort=none (max_tokens=2000 leaves no room)",
        ),
        (HAIKU, {"reasoning": {"max_tokens": 5000}, "max_tokens": 4000}, "reasoning.max_tokens=budget_tokens:2000"),
        (NEWEST, {"reasoning_effort": "none"}, "reasoning_effort=low"),
        (
            HAIKU,
            {"reasoning_effort": "low", "tools": [WEATHER], "tool_choice": "required"},
            "reasoning_effort=none (tool_choice)",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_told(model: str, fields: Json, told: str) -> None:
    assert told in translation(model=model, **fields).adjusted


ON = {"type": "enabled"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"thinking": ON, "reasoning_effort": "high"}, ()),
        ({"thinking": ON, "reasoning": {"effort": "high"}, "reasoning_effort": "high", "enable_thinking": True}, ()),
        ({"thinking": OFF, "reasoning_effort": "none", "enable_thinking": False}, ()),
        ({"thinking": OFF, "reasoning_effort": "high"}, ("reasoning_effort",)),
        ({"thinking": OFF, "reasoning": {"effort": "high"}}, ("reasoning.effort",)),
        ({"thinking": ON, "reasoning_effort": "none"}, ("reasoning_effort",)),
        ({"thinking": ON | {"budget_tokens": 3000}, "reasoning_effort": "high"}, ("reasoning_effort",)),
        ({"thinking": ON, "reasoning": {"max_tokens": 3000}}, ("reasoning.max_tokens",)),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, ("reasoning_effort",)),
        ({"reasoning": {"enabled": False, "effort": "high"}}, ("reasoning.effort",)),
        ({"reasoning_effort": "low", "enable_thinking": False}, ("enable_thinking",)),
        (
            {"enable_thinking": True, "chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
            ("chat_template_kwargs.enable_thinking", "chat_template_kwargs.thinking"),
        ),
    ],
    ids=str,
)
def test_a_wish_that_lost_against_another_is_told(fields: Json, told: tuple[str, ...]) -> None:
    assert translation(model=HAIKU, **fields).ignored == told


def test_a_model_that_does_not_think_is_told() -> None:
    assert translation(model="claude-3-5-haiku", reasoning_effort="high").ignored == ("reasoning_effort",)
    assert translation(model="MiniMax-M2.5", reasoning_effort="none").ignored == ("reasoning_effort",)


@pytest.mark.parametrize("model", [HAIKU, OPUS46, OPUS47, "deepseek-v4-pro", "glm-4.6"])
def test_thinking_yields_to_a_forced_tool(model: str) -> None:
    sent = body(model=model, tools=[WEATHER], tool_choice="required", reasoning_effort="high")
    assert sent["tool_choice"] == {"type": "any"}
    assert sent.get("thinking") in (None, OFF)


def test_thinking_yields_to_a_prefill() -> None:
    sent = body(user("hi"), {"role": "assistant", "content": "It is"}, model=HAIKU, reasoning_effort="high")
    assert "thinking" not in sent


LOOP = [user("hi"), call(), result()]
BLOCK = {"type": "thinking", "thinking": "hm", "signature": "made-up"}


def thinking_in_loop(model: str, *messages: Json, profile: Profile | None = None, **fields: Any) -> Json | None:
    profile = profile or profile_for("", model)
    sent = translation(*(messages or LOOP), model="some-model", profile=profile, tools=[WEATHER], **fields)
    return sent.body.get("thinking")


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        (HAIKU, None),
        (OPUS46, ADAPTIVE),
        (OPUS47, ADAPTIVE),
        ("glm-4.6", budget(8192)),
        ("kimi-k2.5", budget(8192)),
        ("deepseek-v4-pro", OFF),
        ("my-model", None),
    ],
)
def test_thinking_goes_on_in_a_loop_that_lost_it_where_nobody_asks_for_it(model: str, thinking: Json | None) -> None:
    assert thinking_in_loop(model, reasoning_effort="medium") == thinking


def test_a_budget_becomes_an_effort_in_a_loop_that_lost_its_thinking() -> None:
    sent = translation(*LOOP, model=OPUS46, tools=[WEATHER], thinking={"type": "enabled", "budget_tokens": 9000})
    assert sent.body["thinking"] == ADAPTIVE
    assert sent.body["output_config"] == {"effort": "high"}


def test_only_the_first_answer_of_a_loop_needs_its_thinking() -> None:
    first = call(thinking_blocks=[BLOCK])
    later = [user("hi"), first, result(), call("call_2"), result("call_2")]
    assert thinking_in_loop(HAIKU, *later, reasoning_effort="low") == budget(2048)
    assert thinking_in_loop(HAIKU, *later, user("thanks"), reasoning_effort="low") == budget(2048)
    lost = [user("hi"), call(), result(), call("call_2"), result("call_2")]
    assert thinking_in_loop(HAIKU, *lost, reasoning_effort="low") is None
    assert thinking_in_loop(
        HAIKU, *lost, {"role": "assistant", "content": "ok"}, user("now?"), reasoning_effort="low"
    ) == budget(2048)


def test_sampling_yields_to_thinking() -> None:
    told = translation(model=HAIKU, reasoning_effort="low", temperature=0.5, top_p=0.9, top_k=5)
    assert not {"temperature", "top_p", "top_k"} & set(told.body)
    assert told.ignored == ("temperature", "top_p", "top_k")
    assert body(model=HAIKU, reasoning_effort="low", temperature=1, top_p=0.97)["top_p"] == 0.97
    assert body(model="glm-4.6", reasoning_effort="low", temperature=0.5)["temperature"] == 0.5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking": {}}, "thinking.type"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.display"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"max_tokens": "many"}}, "reasoning.max_tokens"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"chat_template_kwargs": {"enable_thinking": "yes"}}, "chat_template_kwargs.enable_thinking"),
        ({"chat_template_kwargs": {"thinking": "yes"}}, "chat_template_kwargs.thinking"),
    ],
)
def test_an_odd_wish_is_refused_by_name(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation(**fields)
    assert caught.value.param == param
