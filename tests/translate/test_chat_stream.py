"""Anthropic events become chunks that OpenAI's SDK reads, whatever their order."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from app.errors import UpstreamBroken, UpstreamError, UpstreamRefusal
from app.sse import encode
from app.translate.chat_stream import ChatStream, Chunk
from app.translate.message_events import streamed_events
from app.translate.request import AnswerForm
from app.translate.response import folded
from app.translate.told_calls import ToldCall
from tests.translate.answers import EVENTS, MESSAGE, forms
from tests.translate.completions import completion_of, completion_of_events

START = {"type": "message_start", "message": {"usage": {"input_tokens": 26, "output_tokens": 1}}}
STOP = {"type": "message_stop"}


def stream_of(form: AnswerForm | None = None, **fields: Any) -> ChatStream:
    return ChatStream(form or AnswerForm("m"), "chatcmpl-1", 1, **fields)


def begin(index: int, type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": type, **fields}}


def grow(index: int, type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": type, **fields}}


def close(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def fed(stream: ChatStream, *events: dict[str, Any]) -> list[Chunk]:
    return [chunk for event in events for chunk in stream.feed(event)]


def deltas(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


# ---------------------------------------------------------------------------------------------- properties


@settings(max_examples=300)
@given(forms(), EVENTS)
def test_no_sequence_of_events_breaks_the_stream(form: AnswerForm, events: list[dict[str, Any]]) -> None:
    stream = stream_of(form)
    chunks: list[Chunk] = []
    complete = False
    with contextlib.suppress(UpstreamError):
        for event in events:
            chunks += stream.feed(event)
        chunks += stream.end()
        complete = True
    for chunk in chunks:
        encode(chunk)
    assert_well_formed(chunks, complete, form)
    stream.final_usage()


def assert_well_formed(chunks: list[Chunk], complete: bool, form: AnswerForm) -> None:
    if chunks:
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    finished = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(finished) <= 1
    assert bool(finished) or not complete
    if complete:
        assert bool(chunks[-1].get("usage")) is form.include_usage
        folded(chunks, None)
    begun = [call["id"] for delta in deltas(chunks) for call in delta.get("tool_calls", ()) if "id" in call]
    assert len(set(begun)) == len(begun)
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(construct_type(type_=ChatCompletionChunk, value=chunk))


@settings(max_examples=200)
@given(forms(), MESSAGE)
def test_a_message_and_its_stream_come_to_the_same(form: AnswerForm, message: dict[str, Any]) -> None:
    whole = completion_of(message, stream_of(form))
    assert completion_of_events(streamed_events(message), stream_of(form)) == whole


@given(MESSAGE)
def test_nothing_of_a_message_is_lost(message: dict[str, Any]) -> None:
    told = completion_of(message, stream_of())["choices"][0]["message"]
    blocks = message["content"]
    assert (told["content"] or "") == "".join(block["text"] for block in blocks if block["type"] == "text")
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    assert told.get("reasoning_content", "") == thought
    called = [block["name"] for block in blocks if block["type"] == "tool_use"]
    assert [call["function"]["name"] for call in told.get("tool_calls", ())] == called


# ---------------------------------------------------------------------------------------------- beginning and end


@pytest.mark.parametrize("events", [[], [{"type": "ping"}], [START], [START, begin(0, "text"), close(0)]])
def test_an_end_without_message_stop_or_stop_reason_is_a_cut(events: list[dict[str, Any]]) -> None:
    stream = stream_of()
    fed(stream, *events)
    with pytest.raises(UpstreamBroken, match="before the answer was complete"):
        stream.end()


def test_a_stop_reason_makes_the_answer_complete() -> None:
    stream = stream_of()
    fed(stream, START, begin(0, "text"), grow(0, "text_delta", text="Hi"), end("max_tokens"))
    assert not stream.ended
    (finish,) = stream.end()
    assert finish["choices"][0]["finish_reason"] == "length"
    assert stream.ended
    assert stream.end() == []


def test_what_follows_the_end_is_ignored() -> None:
    stream = stream_of()
    fed(stream, START, end(), STOP)
    assert fed(stream, START, grow(0, "text_delta", text="late"), STOP, {"type": "error", "error": {}}) == []
    assert stream.end() == []


def test_a_ping_before_message_start_is_no_beginning() -> None:
    assert stream_of().feed({"type": "ping"}) == []


def test_an_error_is_raised_with_the_status_it_would_have_had() -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}
    for events in ([], [START], [START, end()]):
        stream = stream_of()
        fed(stream, *events)
        with pytest.raises(UpstreamRefusal, match="Slow down") as caught:
            stream.feed(error)
        assert caught.value.status == 429


def test_an_event_never_waits_for_the_next_one() -> None:
    stream = stream_of()
    assert len(stream.feed(START)) == 1
    stream.feed(begin(0, "text"))
    assert deltas(stream.feed(grow(0, "text_delta", text="Hi"))) == [{"content": "Hi"}]
    stream.feed(begin(1, "thinking"))
    assert deltas(stream.feed(grow(1, "thinking_delta", thinking="Hm"))) == [{"reasoning_content": "Hm"}]
    assert len(stream.feed(begin(2, "tool_use", id="a", name="f"))) == 1
    (delta,) = deltas(stream.feed(grow(2, "input_json_delta", partial_json='{"')))
    assert delta == {"tool_calls": [{"index": 0, "function": {"arguments": '{"'}}]}


def test_a_delta_without_an_index_belongs_to_the_newest_block() -> None:
    stream = stream_of()
    fed(stream, START, begin(0, "text", text="Hi"), begin(1, "tool_use", id="a", name="f"))
    delta = {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "[]"}}
    assert deltas(stream.feed(delta)) == [{"tool_calls": [{"index": 0, "function": {"arguments": "[]"}}]}]


def test_a_block_that_takes_the_place_of_another_ends_it() -> None:
    stream = stream_of()
    fed(stream, START, begin(0, "tool_use", id="a", name="f"))
    ended, begun = deltas(fed(stream, begin(0, "tool_use", id="b", name="g")))
    assert ended == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    assert begun["tool_calls"][0]["id"] == "b"


# ---------------------------------------------------------------------------------------------- what is kept


def test_the_thinking_is_kept_for_every_call_of_the_answer() -> None:
    stream = stream_of()
    fed(stream, START, begin(0, "thinking"), grow(0, "thinking_delta", thinking="Hm."), close(0))
    fed(stream, begin(1, "redacted_thinking", data="x"), close(1))
    fed(stream, begin(2, "tool_use", id="a", name="f"), close(2), begin(3, "tool_use", id="b", name="g"), close(3))
    fed(stream, end("tool_use"), STOP)
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "redacted_thinking", "data": "x"}]
    assert stream.thinking_by_call == {ToldCall("a", "f", "{}"): blocks, ToldCall("b", "g", "{}"): blocks}


def test_the_raw_stop_reason_is_kept() -> None:
    stream = stream_of()
    fed(stream, START)
    event = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}
    (finish,) = fed(stream, event, STOP)
    assert stream.stop_reason == "stop_sequence"
    raw = {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert finish["choices"][0]["provider_specific_fields"] == raw


# ---------------------------------------------------------------------------------------------- usage


def test_counts_are_estimated_only_where_the_upstream_gives_none() -> None:
    asked: list[str] = []

    def estimate(output: str) -> dict[str, Any]:
        asked.append(output)
        return {"input_tokens": 100, "output_tokens": 7}

    counted = stream_of(estimate=estimate)
    fed(counted, START, end(output_tokens=5), STOP)
    assert counted.final_usage() == {"input_tokens": 26, "output_tokens": 5}
    assert asked == []
    uncounted = stream_of(estimate=estimate)
    fed(uncounted, {"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}})
    fed(uncounted, begin(0, "thinking", thinking="Hm. "), close(0), begin(1, "text", text="Hi. "), close(1))
    fed(uncounted, begin(2, "tool_use", id="a", name="f", input={"a": 1}), close(2), end("tool_use"), STOP)
    assert uncounted.final_usage() == {"input_tokens": 100, "output_tokens": 7}
    assert asked == ['Hm. Hi. {"a":1}']


def test_the_usage_chunk_comes_last_and_only_when_asked_for() -> None:
    asked = stream_of(AnswerForm("m", include_usage=True))
    chunks = fed(asked, START, end(output_tokens=5), STOP)
    assert [chunk["usage"] is None for chunk in chunks] == [True, True, False]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 31
    assert all("usage" not in chunk for chunk in fed(stream_of(), START, end(output_tokens=5), STOP))


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
    stream = stream_of()
    fed(stream, START, begin(0, "text", text=text), close(0))
    event = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    chunks = fed(stream, event, STOP)
    assert [delta.get("refusal") for delta in deltas(chunks)[:-1]] == ([expected] if expected else [])
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
