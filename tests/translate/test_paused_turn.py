"""A turn that was paused and continued reads as one answer."""

from typing import Any

from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.message_events import streamed_events
from app.translate.paused_turn import ContinuedTurn, can_pause
from tests.translate.completions import completion_of_events

REQUEST = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Search"}]}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def answer(*content: dict[str, Any], reason: str = "pause_turn", **usage: int) -> dict[str, Any]:
    counts = {"input_tokens": 10, "output_tokens": 5} | usage
    return {"id": "msg", "type": "message", "role": "assistant", "content": list(content), "stop_reason": reason} | {
        "usage": counts
    }


def play(turn: ContinuedTurn, *messages: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(the events of the one answer, the requests that continued it)."""
    events: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    for message in messages:
        for event in streamed_events(message):
            events += turn.feed(event)
        if not turn.paused:
            break
        requests.append(turn.next_request(REQUEST))
    return events, requests


def test_only_server_tools_can_pause_a_turn() -> None:
    assert not can_pause(REQUEST)
    assert not can_pause(REQUEST | {"tools": [{"name": "f", "input_schema": {}}]})
    assert can_pause(REQUEST | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]})
    assert can_pause(REQUEST | {"mcp_servers": [{"type": "url"}]})


def test_paused_messages_are_one_answer() -> None:
    turn = ContinuedTurn(3)
    messages = [
        answer(THOUGHT, said("One, "), SEARCH),
        answer(FOUND, said("two, ")),
        answer(said("three."), reason="end_turn"),
    ]
    events, requests = play(turn, *messages)
    assert len(requests) == 2
    kinds = [event["type"] for event in events]
    assert kinds.count("message_start") == kinds.count("message_delta") == kinds.count("message_stop") == 1
    assert [event["index"] for event in events if event["type"] == "content_block_start"] == [0, 1, 2, 3, 4, 5]
    completion = completion_of_events(events, ChatAnswer(AnswerForm("m"), "chatcmpl-1", 1))
    (choice,) = completion["choices"]
    assert choice["message"]["content"] == "One, two, three."
    assert choice["finish_reason"] == "stop"


def test_each_request_carries_all_of_the_answer_so_far() -> None:
    first, second = [THOUGHT, said(""), SEARCH], [FOUND, said("two")]
    _, requests = play(ContinuedTurn(3), answer(*first), answer(*second), answer(reason="end_turn"))
    assert requests[0] == REQUEST | {
        "messages": [*REQUEST["messages"], {"role": "assistant", "content": [THOUGHT, SEARCH]}]
    }
    assert requests[1] == REQUEST | {
        "messages": [*REQUEST["messages"], {"role": "assistant", "content": [THOUGHT, SEARCH, FOUND, said("two")]}]
    }
    assert len(REQUEST["messages"]) == 1


def test_text_that_a_request_may_not_hold_is_left_out() -> None:
    """`text content blocks must contain non-whitespace text`, `final assistant content cannot end with trailing
    whitespace` (observed messages): answers hold such text all the same."""
    _, requests = play(ContinuedTurn(3), answer(said(" "), SEARCH, FOUND, said("Not yet. \n")), answer(said("Done")))
    assert requests[0]["messages"][-1]["content"] == [SEARCH, FOUND, said("Not yet.")]


def test_every_message_was_paid_for() -> None:
    messages = [answer(cache_read_input_tokens=7), answer(input_tokens=20), answer(reason="end_turn", output_tokens=1)]
    events, _ = play(ContinuedTurn(3), *messages)
    told = ChatAnswer(AnswerForm("m"), "chatcmpl-1", 1)
    for event in events:
        told.feed(event)
    assert told.final_usage() == {"input_tokens": 40, "output_tokens": 11, "cache_read_input_tokens": 7}


def test_counts_told_only_at_a_messages_start_are_not_lost() -> None:
    turn = ContinuedTurn(1)
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 0}}}
    pause = {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 5}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
    for event in (start, pause):
        turn.feed(event)
    turn.next_request(REQUEST)
    turn.feed(start)
    (told,) = turn.feed(end)
    assert told["usage"] == {"input_tokens": 20, "output_tokens": 10}


def test_the_last_pause_is_handed_on_as_it_is() -> None:
    turn = ContinuedTurn(1)
    events, requests = play(turn, answer(said("One, ")), answer(said("two, ")), answer(said("never")))
    assert len(requests) == 1
    assert events[-2]["delta"]["stop_reason"] == "pause_turn"
    assert events[-1]["type"] == "message_stop"
    none = ContinuedTurn(0)
    events, requests = play(none, answer(said("One")))
    assert requests == []
    assert events[-2]["delta"]["stop_reason"] == "pause_turn"


def test_a_message_without_blocks_can_be_continued() -> None:
    events, requests = play(ContinuedTurn(3), answer(), answer(said("Done"), reason="end_turn"))
    assert requests == [REQUEST]
    assert [event["type"] for event in events].count("message_start") == 1


def test_a_turn_goes_on_in_its_container() -> None:
    ran = answer(SEARCH) | {"container": {"id": "c_1", "expires_at": "2026-11-22T12:00:00Z"}}
    paused_again, ended = answer(FOUND, SEARCH), answer(said("Done."), reason="end_turn")
    _, requests = play(ContinuedTurn(3), ran, paused_again, ended)
    assert [request["container"] for request in requests] == ["c_1", "c_1"]
    assert "container" not in REQUEST


def test_a_turn_without_a_container_asks_for_none() -> None:
    for odd in (None, "c_1", {}, {"id": None}):
        _, requests = play(ContinuedTurn(1), answer(SEARCH) | {"container": odd}, answer(said("."), reason="end_turn"))
        assert "container" not in requests[0]
