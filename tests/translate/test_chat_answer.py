"""Anthropic events become the deltas of a chat completion, whatever their order."""

from typing import Any

import pytest
from hypothesis import given, settings

from app.errors import UpstreamBroken, UpstreamRefusal
from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.message_events import message_events, streamed_events
from app.translate.told_calls import ToldCall
from tests.translate.answers import MESSAGE, ODD_MESSAGE, forms
from tests.translate.completions import completion_of, completion_of_events

START = {"type": "message_start", "message": {"usage": {"input_tokens": 26, "output_tokens": 1}}}
STOP = {"type": "message_stop"}


def answer_of(form: AnswerForm | None = None) -> ChatAnswer:
    return ChatAnswer(form or AnswerForm("m"), "chatcmpl-1", 1)


def begin(index: int, type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": type, **fields}}


def grow(index: int, type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": type, **fields}}


def close(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def fed(answer: ChatAnswer, *events: dict[str, Any]) -> list[dict[str, Any]]:
    return [delta for event in events for delta in answer.feed(event)]


# ---------------------------------------------------------------------------------------------- properties


@settings(max_examples=200)
@given(forms(), MESSAGE)
def test_a_message_and_its_stream_come_to_the_same(form: AnswerForm, message: dict[str, Any]) -> None:
    whole = completion_of(message, answer_of(form))
    assert completion_of_events(streamed_events(message), answer_of(form)) == whole


@settings(max_examples=300)
@given(forms(), MESSAGE | ODD_MESSAGE)
def test_a_message_read_at_once_comes_to_the_same_as_its_events(form: AnswerForm, message: dict[str, Any]) -> None:
    told: list[Any] = []
    for completion in (completion_of, lambda message, answer: completion_of_events(message_events(message), answer)):
        answer = answer_of(form)
        try:
            told.append((completion(message, answer), answer.ended, answer.usage, answer.thinking_by_call))
        except UpstreamBroken as error:
            told.append(str(error))
    assert told[0] == told[1]


@given(MESSAGE)
def test_nothing_of_a_message_is_lost(message: dict[str, Any]) -> None:
    told = completion_of(message, answer_of())["choices"][0]["message"]
    blocks = message["content"]
    assert (told["content"] or "") == "".join(block["text"] for block in blocks if block["type"] == "text")
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    assert told.get("reasoning_content", "") == thought
    called = [block["name"] for block in blocks if block["type"] == "tool_use"]
    assert [call["function"]["name"] for call in told.get("tool_calls", ())] == called


# ---------------------------------------------------------------------------------------------- beginning and end


@pytest.mark.parametrize("events", [[], [{"type": "ping"}], [START], [START, begin(0, "text"), close(0)]])
def test_an_end_without_message_stop_or_stop_reason_is_a_cut(events: list[dict[str, Any]]) -> None:
    answer = answer_of()
    fed(answer, *events)
    with pytest.raises(UpstreamBroken, match="before the answer was complete"):
        answer.end()


def test_a_stop_reason_makes_the_answer_complete() -> None:
    answer = answer_of()
    fed(answer, START, begin(0, "text"), grow(0, "text_delta", text="Hi"), end("max_tokens"))
    assert not answer.ended
    assert answer.end() == []
    assert answer.finish["finish_reason"] == "length"
    assert answer.ended
    assert answer.end() == []


def test_what_follows_the_end_is_ignored() -> None:
    answer = answer_of()
    fed(answer, START, end(), STOP)
    assert fed(answer, START, grow(0, "text_delta", text="late"), STOP, {"type": "error", "error": {}}) == []
    assert answer.end() == []


def test_a_ping_before_message_start_is_no_beginning() -> None:
    assert answer_of().feed({"type": "ping"}) == []


def test_an_error_is_raised_with_the_status_it_would_have_had() -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}
    for events in ([], [START], [START, end()]):
        answer = answer_of()
        fed(answer, *events)
        with pytest.raises(UpstreamRefusal, match="Slow down") as caught:
            answer.feed(error)
        assert caught.value.status == 429


def test_an_event_never_waits_for_the_next_one() -> None:
    answer = answer_of()
    assert len(answer.feed(START)) == 1
    answer.feed(begin(0, "text"))
    assert answer.feed(grow(0, "text_delta", text="Hi")) == [{"content": "Hi"}]
    answer.feed(begin(1, "thinking"))
    assert answer.feed(grow(1, "thinking_delta", thinking="Hm")) == [{"reasoning_content": "Hm"}]
    assert len(answer.feed(begin(2, "tool_use", id="a", name="f"))) == 1
    (delta,) = answer.feed(grow(2, "input_json_delta", partial_json='{"'))
    assert delta == {"tool_calls": [{"index": 0, "function": {"arguments": '{"'}}]}


def test_a_delta_without_an_index_belongs_to_the_newest_block() -> None:
    answer = answer_of()
    fed(answer, START, begin(0, "text", text="Hi"), begin(1, "tool_use", id="a", name="f"))
    delta = {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "[]"}}
    assert answer.feed(delta) == [{"tool_calls": [{"index": 0, "function": {"arguments": "[]"}}]}]


def test_a_block_that_takes_the_place_of_another_ends_it() -> None:
    answer = answer_of()
    fed(answer, START, begin(0, "tool_use", id="a", name="f"))
    ended, begun = fed(answer, begin(0, "tool_use", id="b", name="g"))
    assert ended == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    assert begun["tool_calls"][0]["id"] == "b"


# ---------------------------------------------------------------------------------------------- what is kept


def test_the_thinking_is_kept_for_every_call_of_the_answer() -> None:
    answer = answer_of()
    fed(answer, START, begin(0, "thinking"), grow(0, "thinking_delta", thinking="Hm."), close(0))
    fed(answer, begin(1, "redacted_thinking", data="x"), close(1))
    fed(answer, begin(2, "tool_use", id="a", name="f"), close(2), begin(3, "tool_use", id="b", name="g"), close(3))
    fed(answer, end("tool_use"), STOP)
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "redacted_thinking", "data": "x"}]
    assert answer.thinking_by_call == {ToldCall("a", "f", "{}"): blocks, ToldCall("b", "g", "{}"): blocks}


def test_the_raw_stop_reason_is_kept() -> None:
    answer = answer_of()
    fed(answer, START)
    event = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}
    assert fed(answer, event, STOP) == []
    assert answer.stop_reason == "stop_sequence"
    raw = {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert answer.finish["provider_specific_fields"] == raw


# ---------------------------------------------------------------------------------------------- usage


def test_counts_are_estimated_only_where_the_upstream_gives_none() -> None:
    asked: list[str] = []

    def estimate(output: str) -> dict[str, Any]:
        asked.append(output)
        return {"input_tokens": 100, "output_tokens": 7}

    counted = answer_of()
    fed(counted, START, end(output_tokens=5), STOP)
    assert counted.final_usage(estimate) == {"input_tokens": 26, "output_tokens": 5}
    assert asked == []
    uncounted = answer_of()
    fed(uncounted, {"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}})
    fed(uncounted, begin(0, "thinking", thinking="Hm. "), close(0), begin(1, "text", text="Hi. "), close(1))
    fed(uncounted, begin(2, "tool_use", id="a", name="f", input={"a": 1}), close(2), end("tool_use"), STOP)
    assert uncounted.final_usage(estimate) == {"input_tokens": 100, "output_tokens": 7}
    assert asked == ['Hm. Hi. {"a":1}']


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("details", "text", "expected"),
    [
        ({"explanation": "No."}, "So ", "No."),
        ({"explanation": None}, "So far", "So far"),
        ("odd", "So far", "So far"),
        (None, "", None),
    ],
)
def test_a_refusal_is_explained_or_quoted(details: Any, text: str, expected: str | None) -> None:
    answer = answer_of()
    fed(answer, START, begin(0, "text", text=text), close(0))
    event = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    assert fed(answer, event, STOP) == ([{"refusal": expected}] if expected else [])
    assert answer.finish["finish_reason"] == "content_filter"
