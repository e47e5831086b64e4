"""app/translate/call_index.py: which call a result answers when ids and names come again."""

from app.translate.call_index import CallIndex
from app.translate.turns import AssistantTurn


def answered(turn: AssistantTurn, sent_id: str) -> None:
    turn.results[sent_id] = {"type": "tool_result", "tool_use_id": sent_id}


def test_an_orphan_answers_nothing() -> None:
    index = CallIndex()
    assert index.with_id("a") is None
    assert index.with_name("f") is None
    assert index.next_open() is None


def test_the_first_open_call_of_an_id_or_name_is_answered() -> None:
    index, turn = CallIndex(), AssistantTurn()
    index.add(turn, "s1", "same", "f")
    index.add(turn, "s2", "same", "f")
    index.add(turn, "s3", "other", "g")
    assert index.with_id("same") == index.with_name("f") == index.next_open() == (turn, "s1")
    answered(turn, "s1")
    assert index.with_id("same") == index.with_name("f") == index.next_open() == (turn, "s2")
    answered(turn, "s2")
    assert index.next_open() == (turn, "s3")
    answered(turn, "s3")
    assert index.next_open() is None


def test_the_latest_turn_counts() -> None:
    index, first, second = CallIndex(), AssistantTurn(), AssistantTurn()
    index.add(first, "s1", "same", "f")
    index.add(first, "s2", "early", "g")
    index.add(second, "s3", "same", "f")
    assert index.with_id("same") == index.with_name("f") == index.next_open() == (second, "s3")
    assert index.with_id("early") == (first, "s2"), "still open"


def test_a_second_result_replaces_the_first_until_the_assistant_speaks_again() -> None:
    index, first, second = CallIndex(), AssistantTurn(), AssistantTurn()
    index.add(first, "s1", "a", "f")
    answered(first, "s1")
    assert index.with_id("a") == (first, "s1")
    index.move_on()
    assert index.with_id("a") is None
    index.add(second, "s2", "b", "g")
    answered(second, "s2")
    assert index.with_id("b") == (second, "s2"), "what was called since may be answered again"
    assert index.with_id("a") is None, "of an earlier turn"


def test_a_result_without_an_id_answers_a_call_without_one_first() -> None:
    index, turn = CallIndex(), AssistantTurn()
    for sent_id, id, name in [("s1", "a", "f"), ("s2", "", "g"), ("s3", "", "f")]:
        index.add(turn, sent_id, id, name)
    assert index.with_name("f") == (turn, "s3")
    assert index.next_open() == (turn, "s2")
    answered(turn, "s3")
    answered(turn, "s2")
    assert index.with_name("f") == index.next_open() == (turn, "s1")
    answered(turn, "s1")
    assert index.with_name("g") == (turn, "s2"), "a second result"
    assert index.with_name("f") == (turn, "s3"), "what answered an id is not replaced by a guess"


def test_a_result_that_names_its_tool_only_replaces_none_that_named_its_call() -> None:
    index, turn = CallIndex(), AssistantTurn()
    index.add(turn, "s1", "a", "f")
    answered(turn, "s1")
    assert index.with_name("f") is None


def test_the_name_of_a_call_without_an_id_may_stand_for_it() -> None:
    index, turn = CallIndex(), AssistantTurn()
    index.add(turn, "s1", "", "f")
    index.add(turn, "s2", "", "f")
    index.add(turn, "s3", "a", "g")
    assert index.with_id("f") == (turn, "s1")
    answered(turn, "s1")
    assert index.with_id("f") == (turn, "s2")
    assert index.with_id("g") is None, "it has an id of its own"
