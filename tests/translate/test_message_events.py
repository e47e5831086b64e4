"""A whole message becomes events and back without loss; odd events still fold into one."""

import contextlib
import time
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given

from app.errors import UpstreamBroken, UpstreamError, UpstreamRefusal
from app.translate.message_events import documented_message, folded_message, message_events, streamed_events
from tests.translate.answers import EVENTS, MESSAGE

PLAIN = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 26, "output_tokens": 5},
}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
CITED = {"type": "text", "text": "So.", "citations": [{"type": "web_search_result_location", "url": "https://a"}]}
CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {"city": "Zürich", "days": [1, 2]}}
SEARCH = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}
BLOCKS = [SIGNED, {"type": "redacted_thinking", "data": "x"}, CITED, {"type": "text", "text": ""}, CALL, SEARCH, FOUND]
START = {"type": "message_start", "message": PLAIN | {"stop_reason": None}}
STOP = {"type": "message_stop"}


def grow(index: int | None, type: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": type, **fields}}


# ---------------------------------------------------------------------------------------------- message -> events


def test_a_message_streams_as_anthropic_streams_it() -> None:
    events = list(streamed_events(PLAIN | {"content": [SIGNED, CALL]}))
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"] == PLAIN | {"content": [], "stop_reason": None}
    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert events[5]["content_block"] == CALL | {"input": {}}
    assert events[6]["delta"]["partial_json"] == '{"city":"Zürich","days":[1,2]}'
    assert events[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": PLAIN["usage"],
    }


def accumulated(events: list[Any]) -> Any:
    """What the anthropic SDK makes of `events`."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


@pytest.mark.parametrize("left_out", [(), ("usage",), ("type", "role"), ("stop_sequence",), ("stop_reason", "usage")])
def test_the_sdk_accumulates_the_stream_of_a_message_whatever_was_left_out(left_out: tuple[str, ...]) -> None:
    content = [{"type": "text", "text": "So."}, SIGNED, CALL]
    message = {key: value for key, value in (PLAIN | {"content": content}).items() if key not in left_out}
    whole = accumulated(list(streamed_events(message)))
    assert [block.type for block in whole.content] == ["text", "thinking", "tool_use"]
    assert whole.content[0].text == "So."
    assert whole.content[1].signature == "s"
    assert whole.content[2].input == CALL["input"]
    assert whole.stop_reason == ("tool_use" if "stop_reason" in left_out else "end_turn")
    assert whole.usage.output_tokens == (0 if "usage" in left_out else 5)


def test_an_unsigned_block_gets_no_signature() -> None:
    events = list(streamed_events(PLAIN | {"content": [{"type": "thinking", "thinking": "Hm."}]}))
    assert [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"] == ["thinking_delta"]


@pytest.mark.parametrize(
    "odd",
    [
        {"content": None},
        {"content": [None]},
        {"content": [{"type": "tool_use", "id": "a", "name": "f"}]},
        {"content": [{"type": "tool_use", "id": "a", "name": "f", "input": '{"city":"Bern"}'}]},
        {"stop_reason": ""},
        {"usage": None},
        {"usage": {"input_tokens": 26}},
        {"usage": {"input_tokens": "26", "output_tokens": "5"}},
    ],
)
def test_a_whole_message_is_completed_as_its_stream_is(odd: dict[str, Any]) -> None:
    message = PLAIN | odd
    completed = documented_message(message)
    assert completed == folded_message(streamed_events(message)) != message
    assert documented_message(completed) is completed


@pytest.mark.parametrize("left_out", ["id", "type", "role", "model", "stop_sequence"])
def test_a_message_that_lacks_what_nobody_misses_stays_as_it_is(left_out: str) -> None:
    message = {key: value for key, value in (PLAIN | {"content": BLOCKS}).items() if key != left_out}
    assert documented_message(message) is message


# ---------------------------------------------------------------------------------------------- events -> message


@pytest.mark.parametrize("form", [message_events, streamed_events])
def test_events_fold_back_into_their_message(form: Any) -> None:
    message = PLAIN | {"content": BLOCKS, "stop_details": {"type": "refusal"}, "container": {"id": "c"}}
    assert folded_message(form(message)) == message


@given(MESSAGE)
def test_any_message_survives_the_way_to_events_and_back(message: dict[str, Any]) -> None:
    back = folded_message(streamed_events(message))
    expected = [{k: v for k, v in block.items() if v or k != "citations"} for block in message["content"]]
    assert [{k: v for k, v in block.items() if v or k != "citations"} for block in back["content"]] == expected
    assert back["stop_reason"] == message["stop_reason"]


def test_a_block_whose_type_is_no_string() -> None:
    block = {"type": []}
    events = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    ]
    assert folded_message(events)["content"] == [block]
    assert list(streamed_events({"content": [block], "stop_reason": "end_turn"}))


@given(EVENTS)
def test_no_sequence_of_events_breaks_the_fold(events: list[dict[str, Any]]) -> None:
    with contextlib.suppress(UpstreamError):
        message = folded_message(events)
        assert isinstance(message["content"], list)
        assert message["stop_reason"]


def test_llama_cpp_leaves_out_the_input_and_ends_all_blocks_at_the_end() -> None:
    events = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        grow(0, "text_delta", text="Hi"),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "a", "name": "f"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        STOP,
    ]
    message = folded_message(events)
    assert message["content"] == [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]
    assert message["usage"] == {"input_tokens": 26, "output_tokens": 9}


def test_deltas_open_the_block_that_was_never_started() -> None:
    events = [START, grow(0, "thinking_delta", thinking="Hm"), grow(0, "signature_delta", signature="s")]
    events += [grow(1, "text_delta", text="Hi"), grow(None, "text_delta", text="!"), STOP]
    assert folded_message(events)["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "text", "text": "Hi!"},
    ]


def test_arguments_that_were_cut_are_kept() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    events = [START, {"type": "content_block_start", "index": 0, "content_block": block}]
    events += [grow(0, "input_json_delta", partial_json='{"city": "Par'), STOP]
    (call,) = folded_message(events)["content"]
    assert list(call["input"].values()) == ['{"city": "Par']


def test_an_error_or_a_cut_is_never_a_message() -> None:
    with pytest.raises(UpstreamRefusal, match="Overloaded"):
        folded_message([START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}])
    with pytest.raises(UpstreamBroken):
        folded_message([START, grow(0, "text_delta", text="Hi")])
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert folded_message([START, ended, {"type": "message_delta", "delta": {"stop_reason": None}}])["stop_reason"]


def test_folding_many_pieces_costs_as_much_as_their_text() -> None:
    delta = grow(0, "text_delta", text="0123456789")
    begun = time.process_time()
    message = folded_message([START, *[delta] * 200_000, STOP])
    assert len(message["content"][0]["text"]) == 2_000_000
    assert time.process_time() - begun < 10
