"""The strict fake on thinking, its signed blocks, sampling and effort."""

from typing import Any

import pytest

from tests.fake_upstream import (
    LEGACY,
    LEGAL_HEADERS,
    V46,
    V47,
    V55,
    profile_for,
    rules_thinking,
)
from tests.fake_upstream.cases import (
    ADAPTIVE,
    BETA,
    CALL,
    CALL_2,
    ENABLED,
    LONG,
    NEWEST,
    RESULT,
    RESULT_2,
    TEXT,
    TOOL,
    Case,
    answered,
    body,
    looped,
    redacted,
    rules_without_a_case,
    thought,
)
from tests.fake_upstream.profiles import OLDER, SONNET_5
from tests.fake_upstream.terms import Body


def opened(call: Any = CALL, **fields: Any) -> Body:
    return looped(call, thinking=ENABLED, max_tokens=LONG, **fields)


TWO_THOUGHTS = [thought("one", place=0, of=2), thought("two", place=1, of=2)]
MOVED = answered(thought(asked=body("something else")))
THINKING = [
    Case(
        "budget below 1024",
        body(thinking={"type": "enabled", "budget_tokens": 1023}),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        body(thinking=ENABLED, max_tokens=1025),
    ),
    Case(
        "budget beyond max_tokens",
        body(thinking=ENABLED, max_tokens=1024),
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
        body(thinking=ENABLED, max_tokens=1024),
        accepting_headers={**LEGAL_HEADERS, BETA: "interleaved-thinking-2025-05-14"},
    ),
    Case(
        "enabled without budget",
        body(thinking={"type": "enabled"}),
        "thinking.enabled.budget_tokens: Field required",
        body(thinking={"type": "disabled"}),
    ),
    Case(
        "enabled on newer models",
        body(thinking=ENABLED, max_tokens=LONG),
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"',
        body(thinking={**ADAPTIVE, "display": "summarized"}),
        V47,
    ),
    Case(
        "adaptive on older models",
        body(thinking=ADAPTIVE),
        "adaptive thinking is not supported on this model",
        body(thinking=ADAPTIVE),
        accepting_profile=V46,
    ),
    Case(
        "disabled on models that always think",
        body(thinking={"type": "disabled"}),
        '"thinking.type.disabled" is not supported for this model.',
        body(thinking={"type": "disabled"}),
        V55,
        accepting_profile=V47,
    ),
    Case(
        "disabled with high effort",
        body(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "max"}),
        '"thinking.type.disabled" is not supported for this model with effort',
        body(thinking={"type": "disabled"}, output_config={"effort": "high"}),
        profile_for("claude-opus-5") or LEGACY,
    ),
    Case(
        "unknown thinking type",
        body(thinking={"type": "between_tools"}),
        "thinking: Input tag 'between_tools' found using 'type' does not match any of the expected tags: "
        "'adaptive', 'disabled', 'enabled'",
        body(thinking={"type": "between_tools"}),
        accepting_profile=profile_for("claude-sonnet-5-5"),
    ),
    Case(
        "temperature with thinking",
        body(thinking=ENABLED, max_tokens=LONG, temperature=0.5),
        "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.",
        body(thinking=ENABLED, max_tokens=LONG, temperature=1),
    ),
    Case(
        "low top_p with thinking",
        body(thinking=ENABLED, max_tokens=LONG, top_p=0.9),
        "`top_p` must be greater than or equal to 0.95 or unset when thinking",
        body(thinking=ENABLED, max_tokens=LONG, top_p=0.95),
    ),
    Case(
        "top_k with thinking",
        body(thinking=ENABLED, max_tokens=LONG, top_k=5),
        "`top_k` must be unset when thinking is enabled",
        body(top_k=5),
    ),
    Case(
        "open loop without thinking",
        opened(),
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        opened([thought(), CALL]),
    ),
    Case(
        "open loop of two rounds without thinking",
        body(
            *("a", ("assistant", [CALL]), [RESULT], ("assistant", [TEXT, CALL_2]), [RESULT_2, TEXT]),
            **{"tools": [TOOL], "thinking": ENABLED, "max_tokens": LONG},
        ),
        "messages.3.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.",
        body(
            *("a", ("assistant", [thought(), CALL]), [RESULT], ("assistant", [CALL_2]), [RESULT_2]),
            **{"tools": [TOOL], "thinking": ENABLED, "max_tokens": LONG},
        ),
    ),
    Case(
        "open loop, adaptive",
        opened(),
        "messages.1.content.0.type: Expected `thinking`",
        looped(thinking=ADAPTIVE),
        V46,
    ),
    Case(
        "foreign signature",
        answered({**thought(), "signature": "Rm9yZWlnbg=="}),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        answered(thought()),
    ),
    Case(
        "missing signature",
        answered({"type": "thinking", "thinking": "x"}),
        "messages.1.content.0.thinking.signature: Field required",
        answered(thought()),
    ),
    Case(
        "null signature",
        answered({**thought(), "signature": None}),
        "messages.1.content.0.thinking.signature.str: Input should be a valid string",
        answered(thought()),
    ),
    Case(
        "altered text in an earlier turn",
        body("a", ("assistant", [{**thought(), "thinking": "no"}, TEXT]), "b", ("assistant", "c"), "d"),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        body("a", ("assistant", [thought(), TEXT]), "b", ("assistant", "c"), "d"),
    ),
    Case(
        "foreign redacted data",
        answered(redacted("Zm9yZWlnbg==")),
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
        answered(redacted(thought("")["signature"])),
    ),
    Case(
        "altered text in the latest turn",
        answered({**thought(), "thinking": "something else"}),
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message",
        answered(thought()),
    ),
    Case(
        "thinking dropped in the latest turn",
        answered(TWO_THOUGHTS[0]),
        "blocks in the latest assistant message cannot be modified.",
        answered(*TWO_THOUGHTS),
    ),
    Case(
        "thinking reordered in the latest turn",
        answered(*TWO_THOUGHTS[::-1]),
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest",
        body("a", ("assistant", [TWO_THOUGHTS[1], TEXT]), "b", ("assistant", "c"), "d"),
    ),
    Case(
        "unsigned empty thinking",
        answered({"type": "thinking", "thinking": "", "signature": ""}),
        "messages.1.content.0.thinking: each thinking block must contain thinking",
        answered(thought("")),
    ),
    Case(
        "thinking last in the message",
        body("a", ("assistant", [thought()]), "b"),
        "messages.1: The final block in an assistant message cannot be `thinking`.",
        answered(thought()),
    ),
    Case(
        "thinking of another conversation",
        MOVED,
        "The block is bound to a different conversation. Remove the block, or set",
        MOVED,
        V55,
        accepting_profile=V47,
    ),
    Case(
        "thinking behind another system prompt",
        answered(thought(), system="new"),
        "bound to a different conversation",
        answered(thought()),
        V55,
    ),
    Case(
        "temperature and top_p",
        body(temperature=0.5, top_p=0.5),
        "`temperature` and `top_p` cannot both be specified for this model.",
        body(temperature=0.5, top_p=0.5),
        accepting_profile=OLDER,
    ),
    *(
        Case(
            f"{name} on newer models",
            body(**{name: 1}),
            f"`{name}` is deprecated for this model.",
            body(),
            V47,
        )
        for name in ("temperature", "top_p", "top_k")
    ),
    Case(
        "other sampling than the default",
        body(temperature=0.9),
        "`temperature` is deprecated for this model.",
        body(temperature=1),
        SONNET_5,
    ),
    Case(
        "sampling in the newest version",
        body(temperature=1),
        "`temperature`",
        body(temperature=1),
        headers=NEWEST,
    ),
    Case(
        "effort without effort levels",
        body(output_config={"effort": "low"}),
        "This model does not support the effort parameter.",
        body(output_config={"effort": "low"}),
        accepting_profile=V46,
    ),
    Case(
        "effort level of other models",
        body(output_config={"effort": "xhigh"}),
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
        body(output_config={"effort": "xhigh"}),
        V46,
        accepting_profile=V47,
    ),
    Case(
        "unknown effort level",
        body(output_config={"effort": "minimal"}),
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        body(output_config={"effort": None}),
        V47,
    ),
    Case(
        "blank stop sequence",
        body(stop_sequences=[".", " "]),
        "stop_sequences: each stop sequence must contain non-whitespace",
        body(stop_sequences=["."]),
    ),
]


@pytest.mark.parametrize("case", THINKING, ids=lambda case: case.rule)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert rules_without_a_case(rules_thinking.RULES, THINKING) == []
