"""The strict fake on tool calls and results in the history."""

from dataclasses import replace

import pytest

from tests.fake_upstream import LEGACY, rules_tool_history
from tests.fake_upstream.cases import (
    CALL,
    CALL_2,
    RESULT,
    RESULT_2,
    SEARCH,
    SEARCH_CALL,
    SEARCH_RESULT,
    TEXT,
    TOOL,
    Case,
    body,
    image,
    looped,
    png,
    rules_without_a_case,
)

WRONG_INPUTS: dict[str, object] = {"a string": "{}", "a list": [], "null": None}
TOOL_HISTORY = [
    *(
        Case(f"call without result: {name}", refused, "messages.1: `tool_use` ids were found without", looped())
        for name, refused in {
            "no result": body("a", ("assistant", [CALL]), "b", tools=[TOOL]),
            "text before the result": looped(result=[TEXT, RESULT]),
            "one of two": looped([CALL, CALL_2]),
            "results in two messages": body("a", ("assistant", [CALL, CALL_2]), [RESULT], [RESULT_2], tools=[TOOL]),
            "assistant goes on": body("a", ("assistant", [CALL]), ("assistant", "b"), [RESULT], tools=[TOOL]),
            "call is the last message": body("a", ("assistant", [CALL]), tools=[TOOL]),
            "text after the call": looped([CALL, TEXT]),
        }.items()
    ),
    Case(
        "result without call",
        looped(result=[RESULT, RESULT_2]),
        "messages.2.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_2.",
        looped([TEXT, CALL, CALL_2], result=[RESULT, RESULT_2, TEXT]),
    ),
    Case(
        "result in the first message",
        body([RESULT], tools=[TOOL]),
        "messages.0.content.0: unexpected `tool_use_id`",
        looped(),
    ),
    Case(
        "two results for one call",
        looped(result=[RESULT, RESULT]),
        "messages.2.content.1: each tool_use must have a single result.",
        looped(),
    ),
    Case(
        "repeated call ids",
        body("a", ("assistant", [CALL]), [RESULT], ("assistant", [TEXT, CALL]), [RESULT], tools=[TOOL]),
        "messages.3.content.1: `tool_use` ids must be unique",
        body("a", ("assistant", [CALL]), [RESULT], ("assistant", [CALL_2]), [RESULT_2], tools=[TOOL]),
    ),
    Case(
        "call id pattern",
        looped({**CALL, "id": "functions.f:0"}),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        looped({**CALL, "id": "a-B_9"}, result={**RESULT, "tool_use_id": "a-B_9"}),
    ),
    Case("empty call id", looped({**CALL, "id": ""}), "tool_use.id: String should match pattern", looped()),
    Case(
        "result id pattern",
        looped(result={**RESULT, "tool_use_id": "a\n"}),
        "messages.2.content.0.tool_result.tool_use_id: String should match pattern",
        looped(),
    ),
    Case(
        "called name pattern",
        looped({**CALL, "name": "get.weather"}),
        "messages.1.content.0.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        looped({**CALL, "name": "n" * 128}),
    ),
    Case(
        "called name too long",
        looped({**CALL, "name": "n" * 65}),
        "tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        looped({**CALL, "name": "n" * 64}),
        replace(LEGACY, tool_name_length=64),
    ),
    Case(
        "input missing",
        looped({k: v for k, v in CALL.items() if k != "input"}),
        "tool_use.input: Field required",
        looped({**CALL, "input": {}}),
    ),
    *(
        Case(
            f"input {name}",
            looped({**CALL, "input": value}),
            "tool_use.input: Input should be a valid",
            looped(),
        )
        for name, value in WRONG_INPUTS.items()
    ),
    Case(
        "tool history without tools",
        {k: v for k, v in looped().items() if k != "tools"},
        "Requests which include `tool_use` or `tool_result` blocks must define tools.",
        looped(),
    ),
    Case(
        "tool_result with another block",
        looped(result={**RESULT, "content": [{"type": "thinking", "thinking": "x", "signature": "y"}]}),
        "tool_result.content.0: Input tag 'thinking' found using 'type'",
        looped(result={**RESULT, "content": [TEXT, image(png()), {"type": "tool_reference", "tool_name": "x"}]}),
    ),
    Case(
        "tool_result content null",
        looped(result={**RESULT, "content": None}),
        "tool_result.content: Input should be a valid string",
        looped(result={"type": "tool_result", "tool_use_id": "toolu_1"}),
    ),
    Case(
        "error result with an image",
        looped(result={**RESULT, "is_error": True, "content": [image(png())]}),
        "all content must be type `text` if `is_error` is true",
        looped(result={**RESULT, "is_error": True}),
    ),
    Case(
        "server result without its call",
        body("a", ("assistant", [SEARCH_RESULT, TEXT]), "b", tools=[SEARCH]),
        "unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1.",
        body("a", ("assistant", [SEARCH_CALL, SEARCH_RESULT, TEXT]), "b", tools=[SEARCH]),
    ),
    Case(
        "server call of an absent tool",
        body("a", ("assistant", [SEARCH_CALL, SEARCH_RESULT, TEXT]), "b", tools=[TOOL]),
        "Tool 'web_search' not found in provided tools",
        body("a", ("assistant", [SEARCH_CALL, SEARCH_RESULT, TEXT]), "b", tools=[TOOL, SEARCH]),
    ),
]


@pytest.mark.parametrize("case", TOOL_HISTORY, ids=lambda case: case.rule)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert rules_without_a_case(rules_tool_history.RULES, TOOL_HISTORY) == []
