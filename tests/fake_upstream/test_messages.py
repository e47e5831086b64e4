"""The strict fake on messages: roles, order, empty content, blocks out of place."""

from dataclasses import replace

import pytest

from tests.fake_upstream import LEGACY, V46, V47, V55, rules_messages
from tests.fake_upstream.cases import (
    CALL,
    CITATION,
    ENABLED,
    LONG,
    NEWEST,
    PDF,
    RESULT,
    SEARCH,
    SEARCH_CALL,
    SEARCH_RESULT,
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
    without,
)

MESSAGES = [
    Case("missing messages", without("messages"), "messages: Field required", body()),
    Case("no messages", {**body(), "messages": []}, "messages: at least one message is required", body()),
    Case(
        "first message not user",
        body(("assistant", "hi"), "hello"),
        'messages: first message must use the "user" role',
        body("hello", ("assistant", "hi")),
    ),
    Case(
        "roles not alternating",
        body("a", "b"),
        'found multiple "user" roles in a row',
        body("a", "b"),
        replace(LEGACY, merges_adjacent_roles=False),
        accepting_profile=LEGACY,
    ),
    Case(
        "system role on older models",
        body("a", ("system", "be kind")),
        'messages: Unexpected role "system"',
        body("a", ("system", "be kind")),
        accepting_profile=V55,
    ),
    Case(
        "system role on newer models without it",
        body("a", ("system", "be kind")),
        "role 'system' is not supported on this model",
        body("a"),
        V47,
    ),
    Case(
        "system message first",
        body(("system", "be kind"), "a"),
        "messages.0: use the top-level 'system' parameter",
        body("a", ("system", "be kind")),
        V55,
    ),
    Case(
        "system message before the user",
        body("a", ("system", "be kind"), "b"),
        "messages.1: a 'system' message must follow",
        body("a", ("system", "be kind"), ("assistant", "b"), "c"),
        V55,
    ),
    *(
        Case(
            f"role {role}",
            body("a", (role, "b")),
            "messages.1.role: Input should be 'user' or 'assistant'",
            body(),
        )
        for role in ("tool", "developer", "function")
    ),
    Case(
        "missing content",
        {**body(), "messages": [{"role": "user"}]},
        "messages.0.content: Field required",
        body(),
    ),
    Case("content null", body(None), "messages.0.content: Input should be a valid string", body([TEXT])),
    Case("content a number", body(5), "messages.0.content: Input should be a valid string", body([TEXT])),
    Case(
        "empty message",
        body("a", ("assistant", []), "b"),
        "messages.1: all messages must have non-empty content except",
        body("a", ("assistant", "")),
    ),
    Case(
        "empty text",
        body([TEXT, {**TEXT, "text": ""}]),
        "text content blocks must be non-empty",
        body([TEXT]),
    ),
    Case("blank text", body(" \n"), "text content blocks must contain non-whitespace text", body(" x ")),
    Case(
        "empty text in a tool result",
        looped(result={**RESULT, "content": [{**TEXT, "text": ""}]}),
        "tool_result.content.0.text: text content blocks must be non-empty",
        looped(result={**RESULT, "content": ""}),
    ),
    Case("blank system text", body(system=[{**TEXT, "text": " "}]), "system: text content", body(system="")),
    Case("blank system string", body(system=" "), "system: text content blocks must contain", body(system="x")),
    Case(
        "prefill on newer models",
        body("a", ("assistant", "b")),
        "This model does not support assistant message prefill.",
        body("a", ("assistant", [SEARCH_CALL, SEARCH_RESULT]), tools=[SEARCH]),
        V46,
    ),
    Case(
        "prefill ending blank",
        body("a", ("assistant", "b ")),
        "messages: final assistant content cannot end with trailing whitespace",
        body("a", ("assistant", "b")),
    ),
    Case(
        "prefill with thinking",
        body("a", ("assistant", "b"), thinking=ENABLED, max_tokens=LONG),
        "not supported when thinking is enabled",
        body("a", thinking=ENABLED, max_tokens=LONG),
    ),
    Case(
        "tool_use of the user",
        body([CALL], tools=[TOOL]),
        "messages.0: `tool_use` blocks can only be in `assistant` messages",
        looped(),
    ),
    Case(
        "tool_result of the assistant",
        body("a", ("assistant", [RESULT]), "b", tools=[TOOL]),
        "messages.1: `tool_result` blocks can only be in `user` messages",
        looped(),
    ),
    Case(
        "image of the assistant",
        body("a", ("assistant", [image(png())]), "b"),
        "messages.1: `image` blocks can only be in `user` messages",
        body([image(png())]),
    ),
    Case(
        "thinking of the user",
        body([thought()]),
        "`thinking` blocks can only be in `assistant`",
        answered(thought()),
    ),
    *(
        Case(
            f"block type {kind}",
            body([{"type": kind}]),
            f"messages.0.content.0: Input tag '{kind}' found using 'type' does not match any of the expected",
            body([TEXT]),
        )
        for kind in ("image_url", "input_text", "input_audio")
    ),
    Case("block without type", body([{"text": "a"}]), "messages.0.content.0.type: Field required", body([TEXT])),
    Case(
        "message a bare string",
        {**body(), "messages": ["hello"]},
        "messages.0: Input does not match the expected shape.",
        body(),
    ),
    Case("too many messages", body(*["a"] * 100_001), "100001 messages exceed", body(*["a"] * 3)),
    Case(
        "assistant document in the newest version",
        body("a", ("assistant", [document(PDF)]), "b"),
        "messages.1: `document` blocks can only be in `user` messages",
        body("a", ("assistant", [document(PDF)]), "b"),
        headers=NEWEST,
    ),
    Case(
        "user citations in the newest version",
        body([{**TEXT, "citations": [CITATION]}]),
        "messages.0.content.0.text.citations",
        body([{**TEXT, "citations": []}], ("assistant", [{**TEXT, "citations": [CITATION]}]), "b"),
        headers=NEWEST,
    ),
]


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case.rule)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert rules_without_a_case([*rules_messages.RULES, rules_messages.system_role_unsupported], MESSAGES) == []
