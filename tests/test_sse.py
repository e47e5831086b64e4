"""Bytes to events and back: whatever the cuts, line ends and habits."""

import json
import logging
import time
from typing import Any

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamBroken
from app.sse import MAX_EVENT_BYTES, EventCutter, EventReader, encode, encode_event
from tests.translate.pieces import in_pieces

PING = {"type": "ping"}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
STOP = {"type": "message_stop"}


def frame(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())


def read(*pieces: bytes) -> list[dict[str, Any]]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


# ---------------------------------------------------------------------------------------------- cutting

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
FRAGMENTS = st.sampled_from(
    [
        b"event: ping",
        b'data: {"type": "ping"}',
        b"data: [DONE]",
        b": comment",
        b"id: 1",
        b"retry: 3",
        b"data:",
        b"x",
        b"",
    ]
)


@st.composite
def byte_streams(draw: st.DrawFn) -> bytes:
    """Lines that belong into an event stream, with any line ends, mixed."""
    lines = draw(st.lists(st.tuples(FRAGMENTS, LINE_ENDS), max_size=14))
    return b"".join(line + end for line, end in lines) + draw(st.sampled_from([b"", b"data: cut"]))


@given(byte_streams(), st.data())
def test_cutting_loses_and_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    cutter = EventCutter()
    whole = [cutter.feed(piece) for piece in in_pieces(stream, data.draw)]
    assert b"".join(whole) + cutter.rest() == stream


@given(byte_streams(), st.data())
def test_the_events_do_not_depend_on_the_cuts(stream: bytes, data: st.DataObject) -> None:
    assert read(*in_pieces(stream, data.draw)) == read(stream)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
def test_an_event_is_whole_with_its_blank_line_and_not_before(end: bytes) -> None:
    cutter = EventCutter()
    assert cutter.feed(b"data: 1") == b""
    assert cutter.feed(end[:1]) == b""
    rest = cutter.feed(end[1:] + b"data: 2")
    assert rest == b"data: 1" + end
    assert cutter.rest() == b"data: 2"


def test_a_byte_order_mark_is_left_out_in_whatever_pieces_it_comes() -> None:
    bom, ping = b"\xef\xbb\xbf", encode(PING)
    for pieces in ([bom + ping], [bom[:1], bom[1:], ping], [bom[:2], bom[2:] + ping]):
        assert read(*pieces) == [PING]
    cutter = EventCutter()
    assert cutter.feed(b"\xef\xbb") == b""
    assert cutter.feed(b"x\n\n") == b"\xef\xbbx\n\n"


def test_an_event_above_the_limit_is_refused() -> None:
    cutter = EventCutter()
    piece = b"a" * (MAX_EVENT_BYTES // 4)
    for _ in range(4):
        cutter.feed(piece)
    with pytest.raises(UpstreamBroken, match="32 MB"):
        cutter.feed(b"a")


def test_a_long_event_in_small_pieces_costs_as_much_as_its_bytes() -> None:
    """20 MB in pieces of 1 KB took over a minute when each piece was searched and copied with all before it."""
    data = b"event: x\r\ndata: " + b"a" * (20 << 20) + b"\r\n\r\n"
    cutter = EventCutter()
    begun = time.process_time()
    whole = b"".join(cutter.feed(data[at : at + 1024]) for at in range(0, len(data), 1024))
    assert time.process_time() - begun < 5
    assert whole == data


def test_an_event_of_too_many_lines_is_refused_before_it_is_joined() -> None:
    with pytest.raises(UpstreamBroken, match="too many lines"):
        read(b"data:\n" * 2_000_000 + b"\n")


# ---------------------------------------------------------------------------------------------- reading

TEXTS = st.text(alphabet='aä👋\u2028\u0085\x0c:\\"{}', max_size=8)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["ping", "content_block_delta", "of_tomorrow"])},
    optional={"index": st.integers(0, 3), "text": TEXTS, "nested": st.lists(TEXTS, max_size=2)},
)


def by_sseclient(stream: bytes) -> list[Any]:
    """What sseclient alone makes of a stream."""
    events = sseclient.SSEClient(iter([stream])).events()
    return [json.loads(event.data) for event in events if event.data.strip() != "[DONE]"]


@given(
    st.lists(EVENTS, max_size=4),
    st.sampled_from([b"event: {name}\ndata: {data}\n\n", b"data: {data}\n\n", b"data:{data}\n\n"]),
    st.sampled_from([b"", b": keep-alive\n\n", b"id: 7\nretry: 10\n", b"data: [DONE]\n\n"]),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_the_fast_path_reads_what_sseclient_reads(
    events: list[dict[str, Any]], form: bytes, between: bytes, ascii: bool, line_end: bytes
) -> None:
    stream = b""
    for event in events:
        data = json.dumps(event, ensure_ascii=ascii).encode()
        stream += between + form.replace(b"{name}", event["type"].encode()).replace(b"{data}", data)
    stream = stream.replace(b"\n", line_end)
    assert read(stream) == events
    assert by_sseclient(stream) == events


ODD_FRAMES = st.sampled_from(
    [
        frame(DELTA),
        frame(STOP),
        encode(DELTA),
        b"data: [DONE]\n\n",
        b"data: [1]\n\n",
        b'data: {"index": 1}\n\n',
        b"data: \n\n",
        b"data: cut {\n\n",
        b": keep-alive\n\n",
        b": note\n" + frame(DELTA),
        b"\n",
        b'event: error\ndata: {"type":"overloaded_error","message":"m"}\n\n',
        b'data: {\ndata: "type": "x"}\n\n',
        b'data: {"type":"x","text":"\\ud83d"}\n\n',
        b'data: {"type":"x","text":"\\ude00"}\n\n',
        frame(DELTA).replace(b"\n", b"\r\n"),
        frame(DELTA).replace(b"Hello", b"\xff"),
    ]
)


@given(st.lists(ODD_FRAMES, max_size=6))
def test_a_read_gives_the_same_events_at_once_and_frame_by_frame(frames: list[bytes]) -> None:
    assert read(b"".join(frames) + b"\n") == read(*(bytes([byte]) for byte in b"".join(frames) + b"\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.sse.events._plain_events", lambda whole: None)
        frame_by_frame = read(b"".join(frames) + b"\n")
    assert read(b"".join(frames) + b"\n") == frame_by_frame


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"type": "ping"}\n\n',
        b'data:{"type": "ping"}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b'data: {"type": "ping"}\nevent: ping\n\n',
        b'id: 1\nevent: ping\nretry: 1\n: note\ndata: {"type": "ping"}\n\n',
        b'event: ping\ndata: {\ndata: "type": "ping"\ndata: }\n\n',
        b"event: ping\ndata: {}\n\n",
        b'\n\n\nevent: ping\ndata: {"type": "ping"}\n\n\n\n',
        b'event: ping\ndata: {"type": "ping"}',
        b'event: ping\ndata: {"type": "ping"}\r\n',
        b'event: of_yesterday\ndata: {"type": "ping"}\n\n',
        b'data: {"type": "ping"}\n\ndata: [DONE]\n\n',
        b'data: {"type": "ping"}data: [DONE]\n\n',
        b'unknown: x\ndata: {"type": "ping"}\n\n',
        b'data: {"type": "pidata: {"type": "ping"}\n\n',
        b'event: ping\ndata: {"type": "ping"}event: x\n\n',
    ],
)
def test_every_habit_of_writing_one_event(stream: bytes) -> None:
    assert read(stream) == [PING]
    assert read(*(bytes([byte]) for byte in stream)) == [PING]


def test_frames_glued_together_are_all_read() -> None:
    """Observed at z.ai: an event cut short with the next one's `data:` on the same line."""
    cut = b'event: content_block_delta\ndata: {"type":"content_block_delta","ind'
    delta, stop = json.dumps(DELTA).encode(), json.dumps(STOP).encode()
    assert read(cut + b"data: " + delta + b"\n\n", frame(STOP)) == [DELTA, STOP]
    assert read(cut + frame(DELTA), frame(STOP)) == [DELTA, STOP]
    assert read(b"data: " + delta + b"\ndata: " + stop + b"\n\n") == [DELTA, STOP]
    assert read(b"event: a\ndata: " + delta + b"\nevent: b\ndata: " + stop + b"\n\n") == [DELTA, STOP]
    assert read(b"data: " + delta + stop + b"\n\n")[0] == DELTA


def test_a_cut_last_event_is_dropped_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    stream = frame(DELTA) + frame(STOP)
    for end in range(len(frame(DELTA)), len(stream) - 3):
        assert read(stream[:end]) == [DELTA]
    assert not caplog.records


def test_half_a_surrogate_pair_at_the_end_of_the_stream_is_told() -> None:
    half = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi \ud83d"}}
    assert [event["delta"]["text"] for event in read(encode(half))] == ["Hi ", "\ufffd"]


def test_an_unreadable_event_is_skipped_and_logged_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "anthropic_proxy.sse"):
        assert read(b"data: secret nonsense\n\n", frame(PING)) == [PING]
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("control", [b"\t", b"\0", b"\x1b", b"\x7f"])
def test_a_control_character_in_a_string_loses_nothing(control: bytes) -> None:
    (event,) = read(frame(DELTA).replace(b"Hello", b"Hel" + control + b"lo"))
    assert event["delta"]["text"] == f"Hel{control.decode()}lo"


@pytest.mark.parametrize(
    "frame",
    [
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "lost",}}\n\n',
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":nil}}\n\n',
        b'data: { "type": "message_delta", "usage": {"output_tokens": ' + b"9" * 5000 + b"}}\n\n",
        b"event: message_delta\ndata: " + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n\n",
        b"event: content_block_delta\ndata: lost\n\n",
    ],
)
def test_a_part_of_the_answer_that_cannot_be_read_is_an_error(frame: bytes) -> None:
    """Without it the answer would be another one, and look whole."""
    events = read(frame, encode_event(STOP))
    assert [event["type"] for event in events] == ["error", "message_stop"]
    assert "lost" not in events[0]["error"]["message"]


@pytest.mark.parametrize("data", [b"[1]", b'"text"', b"7", b"null", b""])
def test_json_that_is_no_object_is_no_event(data: bytes) -> None:
    assert read(b"event: ping\ndata: " + data + b"\n\n", frame(PING)) == [PING]


@pytest.mark.parametrize("depth", [300, 1200, 100_000])
def test_deep_nesting_costs_an_event_at_most(depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    lone = b'{"type":"x","t":"\\ud83d","a":' + nested + b"}"
    for data in (b'{"type":"x","a":' + nested + b"}", lone):
        assert read(b"data: " + data + b"\n\n", frame(PING))[-1] == PING


def test_bytes_that_are_not_utf_8_become_replacement_characters() -> None:
    (event,) = read(frame(DELTA).replace(b"Hello", b"He\xf0\x9fo"))
    assert event["delta"]["text"] == "He\ufffdo"
    (event,) = read(b": \xff\n" + frame(DELTA))
    assert event == DELTA


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b'event: error\ndata: {"type":"error","error":{"message":"m"}}\n\n', {"message": "m"}),
        (b'data: {"error":{"code":"1305","message":"m"}}\n\n', {"code": "1305", "message": "m"}),
        (b'event: error\ndata: {"error":"m"}\n\n', "m"),
        (
            b'event: error\ndata: {"type":"overloaded_error","message":"m"}\n\n',
            {"type": "overloaded_error", "message": "m"},
        ),
        (b"event: error\ndata: upstream timeout\n\n", {"message": "upstream timeout"}),
        (b'{"error": {"message": "m"}}\n\n', {"message": "m"}),
        (b'\n{"type": "error",\n "error": {"message": "m"}}', {"message": "m"}),
    ],
)
def test_an_error_is_recognised_however_it_is_written(stream: bytes, error: Any) -> None:
    (event,) = read(stream)
    assert event["type"] == "error"
    assert event["error"] == error


@pytest.mark.parametrize(
    "body",
    [
        {"code": 500, "msg": "m", "success": False},
        {"detail": "m"},
        {"base_resp": {"status_code": 1002, "status_msg": "m"}},
    ],
)
def test_error_bodies_of_other_shapes_are_errors_in_a_stream_too(body: dict[str, Any]) -> None:
    assert read(b"data: " + json.dumps(body).encode() + b"\n\n") == [body | {"type": "error"}]


def test_an_object_without_a_type_that_is_no_error_has_none() -> None:
    assert read(b'data: {"index": 1}\n\n') == [{"index": 1, "type": ""}]


# ---------------------------------------------------------------------------------------------- writing


@given(EVENTS)
def test_what_is_encoded_is_read_back(event: dict[str, Any]) -> None:
    assert read(encode(event)) == [event]
    assert read(encode_event(event)) == [event]
    assert by_sseclient(encode_event(event)) == [event]


def test_half_a_surrogate_pair_and_large_numbers_can_be_encoded() -> None:
    chunk = {"type": "x", "text": "\ud83d", "n": 2**80}
    assert json.loads(encode(chunk).removeprefix(b"data: ")) == chunk
    assert encode(chunk).endswith(b"}\n\n")
