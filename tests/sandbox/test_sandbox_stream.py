"""The stream of an answer: its frames, its folding back, its broken endings."""

from typing import Any

import pytest

from app.sandbox.answer import answer
from app.sandbox.stream import events
from tests.sandbox.sse_reader import folded, parsed

WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PING = {"name": "ping", "input_schema": {"type": "object", "properties": {}}}
NUMBERS = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}


def request(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 1_000, "messages": [{"role": "user", "content": text}], **fields}


REQUESTS = [
    request("Hello"),
    request("Ünïcödé \U0001f600 日本語の文章はここに空白なしで続きます \n\n\t end   "),
    request("Hello", thinking={"type": "adaptive"}),
    request("Hello", thinking={"type": "adaptive", "display": "omitted"}),
    request("get_weather for Paris and Rome, then ping", tools=[WEATHER, PING], thinking={"type": "adaptive"}),
    request("ping", tools=[PING], tool_choice={"type": "tool", "name": "ping"}),
    request("Hello", max_tokens=3),
    request("a STOP b", stop_sequences=["STOP"]),
    request("Hello", stop_sequences=["Hello"]),
    request("5", output_config={"format": {"type": "json_schema", "schema": NUMBERS}}),
    request("sandbox:long 300"),
]


@pytest.mark.parametrize("messages_request", REQUESTS)
def test_stream_folds_to_the_buffered_message(messages_request: dict[str, Any]) -> None:
    answered = answer(messages_request)
    assert folded(parsed(b"".join(events(answered)))) == answered.message


@pytest.mark.parametrize("messages_request", REQUESTS)
def test_every_item_is_one_whole_frame(messages_request: dict[str, Any]) -> None:
    for frame in events(answer(messages_request)):
        assert len(parsed(frame)) == 1
        assert frame.endswith(b"\n\n")


def test_order_of_events() -> None:
    types = [event["type"] for event in parsed(b"".join(events(answer(request("Hello")))))]
    assert types[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert types.count("ping") == 1
    assert types.count("content_block_delta") >= 5


def test_framing_is_the_recorded_one() -> None:
    frames = list(events(answer(request("Hello"))))
    assert frames[1:4] == [
        b"event: content_block_start\ndata: "
        b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b"event: content_block_delta\ndata: "
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello "}}\n\n',
    ]


def test_start_knows_the_input_and_nothing_of_the_end() -> None:
    answered = answer(request("Hello", thinking={"type": "adaptive"}))
    start = parsed(next(events(answered)))[0]["message"]
    assert start["content"] == []
    assert start["stop_reason"] is None
    assert start["usage"]["input_tokens"] == answered.message["usage"]["input_tokens"]
    assert start["usage"]["output_tokens"] == 1


def test_call_without_arguments_streams_one_empty_piece() -> None:
    answered = answer(request("ping", tools=[PING], tool_choice={"type": "any"}))
    deltas = [event["delta"] for event in parsed(b"".join(events(answered))) if "delta" in event]
    assert deltas[0] == {"type": "input_json_delta", "partial_json": ""}
    assert deltas[1]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("count", [1, 7, 2_000])
def test_long_answer_has_that_many_deltas(count: int) -> None:
    streamed = parsed(b"".join(events(answer(request(f"sandbox:long {count}")))))
    texts = [event["delta"]["text"] for event in streamed if event["type"] == "content_block_delta"]
    assert [text.strip() for text in texts] == [str(number) for number in range(1, count + 1)]


@pytest.mark.parametrize("max_tokens", [1, 1_000])
def test_error_in_mid_stream_ends_it(max_tokens: int) -> None:
    answered = answer(request("sandbox:error midstream", max_tokens=max_tokens))
    streamed = parsed(b"".join(events(answered)))
    assert streamed[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded", "details": None},
        "request_id": answered.request_id,
    }
    types = [event["type"] for event in streamed]
    assert "content_block_delta" in types
    assert not {"message_delta", "message_stop"} & set(types)


def test_cut_stream_just_ends() -> None:
    types = [event["type"] for event in parsed(b"".join(events(answer(request("sandbox:cut")))))]
    assert types.count("content_block_delta") == 5
    assert types[-1] == "content_block_delta"
