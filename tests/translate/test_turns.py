"""app/translate/turns.py: system messages in the middle, missing results, legal ends, and thinking that was lost."""

from typing import Any

import pytest

from app.profiles.profile import Profile
from app.translate.report import Report
from app.translate.turns import AssistantTurn, Turn, UserTurn, begin_legally, end_legally, thinking_lost, written
from tests.translate.requests import Json, text, tool_result, tool_use

TAKES_SYSTEM = Profile(system_messages=True)
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def user(*words: str) -> UserTurn:
    return UserTurn([text(word) for word in words])


def system(word: str) -> UserTurn:
    return UserTurn([text(word)], system=True)


def said(word: str) -> AssistantTurn:
    return AssistantTurn([text(word)])


def message(role: str, *words: str) -> Json:
    return {"role": role, "content": [text(word) for word in words]}


MARKED = "<system>\nbe brief\n</system>"
SYSTEM_TURNS: list[tuple[list[Turn], list[Json]]] = [
    ([user("a"), system("be brief")], [message("user", "a"), message("system", "be brief")]),
    (
        [user("a"), system("be brief"), system("be kind"), said("b")],
        [message("user", "a"), message("system", "be brief", "be kind"), message("assistant", "b")],
    ),
    ([system("be brief"), user("a")], [message("user", MARKED, "a")]),
    (
        [user("a"), said("b"), system("be brief")],
        [message("user", "a"), message("assistant", "b"), message("user", MARKED)],
    ),
    ([user("a"), system("be brief"), user("b")], [message("user", "a", MARKED, "b")]),
]


@pytest.mark.parametrize(("turns", "expected"), SYSTEM_TURNS)
def test_a_system_message_stands_only_where_the_api_takes_one(turns: list[Turn], expected: list[Json]) -> None:
    report = Report()
    assert written(turns, TAKES_SYSTEM, report) == expected
    became_user = any(block["text"] == MARKED for sent in expected for block in sent["content"])
    assert report.adjusted == (("messages[].role=user (a later system message)",) if became_user else ())


def test_a_model_without_system_messages_gets_them_marked_in_place() -> None:
    turns = [user("a"), system("be brief"), said("b")]
    expected = [message("user", "a", MARKED), message("assistant", "b")]
    assert written(turns, Profile(system_messages=False), Report()) == expected


def test_results_come_in_call_order_and_a_missing_one_is_an_error() -> None:
    turn = AssistantTurn(calls=[tool_use("c1"), tool_use("c2")], results={"c2": tool_result("c2")})
    report = Report()
    called, results = written([turn], TAKES_SYSTEM, report)
    assert called == {"role": "assistant", "content": turn.calls}
    assert results["content"] == [{"type": "tool_result", "tool_use_id": "c1", "is_error": True}, tool_result("c2")]
    assert report.adjusted == ("messages[].tool_calls=an error result where there was none",)


def test_equal_roles_are_one_message_and_turns_are_left_as_they_were() -> None:
    first = user("a")
    assert written([first, user("b"), said("c"), said("d")], TAKES_SYSTEM, Report()) == [
        message("user", "a", "b"),
        message("assistant", "c", "d"),
    ]
    assert first == user("a")


def test_a_thought_of_split_calls_is_said_once() -> None:
    turn = AssistantTurn()
    turn.say([THOUGHT, text("a")])
    turn.say([THOUGHT, text("a")])
    turn.think("c2", [THOUGHT])
    assert turn.content == [THOUGHT, text("a"), text("a")]
    assert turn.thoughts == {}


def test_a_beginning_that_no_upstream_refuses() -> None:
    for messages, system_blocks, expected, left in (
        ([], [text("s1"), text("s2")], [message("user", "s2")], [text("s1")]),
        ([], [], [message("user", ".")], []),
        ([message("assistant", "a")], [text("s")], [message("user", "."), message("assistant", "a")], [text("s")]),
        ([message("user", "a")], [text("s")], [message("user", "a")], [text("s")]),
    ):
        begin_legally(messages, system_blocks, Report())
        assert (messages, system_blocks) == (expected, left)


def test_an_end_that_no_upstream_refuses() -> None:
    messages = [message("user", "a")]
    assert not end_legally(messages, Profile(prefill=True), Report())
    assert messages == [message("user", "a")]
    messages = [message("user", "a"), message("assistant", "It is \n")]
    assert end_legally(messages, Profile(prefill=True), Report())
    assert messages[-1] == message("assistant", "It is")
    assert not end_legally(messages, Profile(prefill=False), Report())
    assert messages[-1] == message("user", "Continue.")


CALLED: dict[str, Any] = {"role": "assistant", "content": [tool_use("c1")]}
THOUGHT_FIRST: dict[str, Any] = {"role": "assistant", "content": [THOUGHT, tool_use("c1")]}
RESULT: dict[str, Any] = {"role": "user", "content": [tool_result("c1")]}


@pytest.mark.parametrize(
    ("messages", "lost"),
    [
        ([message("user", "a")], False),
        ([message("user", "a"), CALLED, RESULT], True),
        ([message("user", "a"), THOUGHT_FIRST, RESULT], False),
        ([message("user", "a"), THOUGHT_FIRST, RESULT, CALLED, RESULT], False),
        ([message("user", "a"), CALLED, RESULT, THOUGHT_FIRST, RESULT], False),
        ([message("user", "a"), CALLED, RESULT, CALLED, RESULT], True),
        ([message("user", "a"), CALLED, RESULT, message("assistant", "It is")], False),
        ([message("user", "a"), CALLED, RESULT, message("assistant", "b"), message("user", "c")], False),
        ([message("user", "a"), CALLED, RESULT, message("system", "s")], True),
    ],
)
def test_whether_an_open_loop_lost_its_thinking(messages: list[Json], lost: bool) -> None:
    assert thinking_lost(messages) is lost
