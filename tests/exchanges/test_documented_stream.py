"""Every recorded stream arrives so that Anthropic's SDK reads the message in it; no other byte is touched."""

import json
from typing import Any

import pytest
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given
from hypothesis import strategies as st

from app.exchanges import documented_stream
from app.exchanges.documented_stream import GROWN, DocumentedStream
from app.sse import EventCutter, EventReader, encode, encode_event
from app.translate.message_events import folded_message
from tests.golden_cases import GoldenCase, all_cases
from tests.translate.answers import START
from tests.translate.pieces import in_pieces

Event = dict[str, Any]
BLOCK: Event = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
CALL: Event = BLOCK | {"content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {}}}
END: list[Event] = [
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]
UNTOUCHED = (
    "answer_text",
    "bytes_cr",
    "bytes_line_separators",
    "bytes_several_data_lines",
    "interleaved_calls",
    "refusal_explained",
    "server_tool_with_citations",
    "thinking_omitted",
    "thinking_redacted",
    "thinking_signed",
    "tool_parallel",
    "tool_without_arguments",
    "unknown_events_and_deltas",
    "upstream_kimi",
    "upstream_ollama",
    "upstream_zai",
)
RECORDED = [
    case
    for case in all_cases()
    if case.upstream_sse is not None and "client_answer" in case.corners and case.name != "odd_types"
]
"""The SDK warns of types that its schema does not know."""


def grown(text: str, kind: str = "text") -> Event:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", kind: text}}


def written(*events: Event) -> bytes:
    return b"".join(map(encode_event, events))


def shown(*pieces: bytes) -> bytes:
    cutter, stream = EventCutter(), DocumentedStream()
    return b"".join(frame for piece in pieces for frame, _ in stream.feed(cutter.feed(piece)))


def accumulated(frames: bytes) -> Any:
    """What Anthropic's SDK makes of a stream, event lines and all."""
    snapshot, inputs = None, dict[int, bytes]()
    for event in SSEDecoder().iter_bytes(iter([frames])):
        if event.event == "message_stop":
            break
        if event.event not in (None, "ping"):
            snapshot = accumulate_event(event=event.json(), current_snapshot=snapshot, json_bufs=inputs)
    return snapshot


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_the_sdk_reads_every_recorded_stream(case: GoldenCase) -> None:
    stream = case.upstream_sse
    assert stream is not None
    reader = EventReader()
    message = folded_message([*reader.feed(stream), *reader.end()])
    snapshot = accumulated(shown(stream + b"\n\n"))
    assert snapshot.stop_reason == message["stop_reason"]
    assert [block.type for block in snapshot.content] == [block.get("type", "text") for block in message["content"]]
    for read, block in zip(snapshot.content, message["content"], strict=True):
        for name in ("text", "thinking", "signature", "data", "id", "name"):
            assert getattr(read, name, None) == block.get(name) or block["type"] == "future_block"
        assert getattr(read, "input", None) == block.get("input") or "_raw" in block["input"]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
@pytest.mark.parametrize("size", [1, 7, 61])
def test_what_the_sdk_reads_does_not_depend_on_the_cuts(case: GoldenCase, size: int) -> None:
    stream = (case.upstream_sse or b"") + b"\n\n"
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert shown(*pieces).rstrip() == shown(stream).rstrip()


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_documented_is_not_touched(name: str) -> None:
    (case,) = (case for case in RECORDED if case.name == name)
    assert case.upstream_sse is not None
    assert shown(case.upstream_sse) == case.upstream_sse


@pytest.mark.parametrize(
    "form",
    [
        b"data: {data}\n\n",
        b"data:{data}\n\n",
        b"data: {data}\r\n\r\n",
        b"data: {data}\r\r",
        b": note\ndata: {data}\n\n",
        b"event: message\ndata: {data}\n\n",
        b"event:  {type}\ndata: {data}\n\n",
        b"event: {type}\ndata: {bare}\n\n",
    ],
)
def test_every_event_has_a_line_with_its_name_and_data_with_its_type(form: bytes) -> None:
    events = [START, BLOCK, grown("Hi"), grown("!"), *END]
    stream = b""
    for event in events:
        bare = {name: value for name, value in event.items() if name != "type"}
        fields = {b"{type}": event["type"].encode(), b"{data}": json.dumps(event).encode()}
        frame = form
        for field, value in (fields | {b"{bare}": json.dumps(bare).encode()}).items():
            frame = frame.replace(field, value)
        stream += frame
    assert accumulated(shown(stream)).content[0].text == "Hi!"
    names = [line[7:].decode() for line in shown(stream).splitlines() if line.startswith(b"event: ")]
    assert names == [event["type"] for event in events]


def test_comments_and_lines_of_no_event_pass() -> None:
    for note in (b": keep-alive\n\n", b"event: ping\n\n", b"id: 7\n\n", b"retry: 3\n\n", b"\n\n"):
        stream = written(START) + note + written(BLOCK, grown("a")) + note + written(grown("b"))
        assert shown(stream) == stream


def test_done_is_no_event_of_this_api() -> None:
    assert shown(written(START) + b"data: [DONE]\n\n") == written(START)


def test_an_event_without_any_name_passes_as_it_came() -> None:
    for odd in (b'data: {"index": 1}\n\n', b'data: {"type": "a\\n\\nb"}\n\n', b'data: {"type": 7}\n\n'):
        assert shown(written(START) + odd) == written(START) + odd


def test_frames_cut_short_or_glued_together_are_told_apart() -> None:
    """Observed at z.ai; the SDK fails on the first byte that is no JSON."""
    cut = written(grown("lost"))[:-8]
    for broken in (cut + encode(grown("kept")), cut + b"\n\n" + written(grown("kept"))):
        stream = written(START, BLOCK, grown("a ")) + broken + written(*END)
        assert accumulated(shown(stream)).content[0].text == "a kept"


@pytest.mark.parametrize("escape", [b"\\ud83d|\\ude00", b"\\uD83D|\\uDE00"])
def test_a_character_split_between_deltas_is_joined(escape: bytes) -> None:
    """The SDK parses a call's input from its bytes, and half a pair has none."""
    begin, end = written(grown('{"a": "X', "partial_json"), grown('Y"}', "partial_json")).split(b"\n\n")[:2]
    high, low = escape.split(b"|")
    frames = begin.replace(b"X", high) + b"\n\n" + end.replace(b"Y", low) + b"\n\n"
    frames = frames.replace(b"partial_json_delta", b"input_json_delta")
    stream = written(START, CALL) + frames + written(grown(" ", "partial_json"), *END)
    assert accumulated(shown(stream)).content[0].input == {"a": "\U0001f600"}


def test_bytes_that_are_not_utf_8_become_replacement_characters() -> None:
    stream = written(START, BLOCK, grown("Hi")).replace(b"Hi", b"H\xff")
    assert accumulated(shown(stream, *map(encode_event, END))).content[0].text == "H\ufffd"


WORDS = st.sampled_from(
    ["data:", 'data: {"', "event: content_block_delta", "text_delta", "\\u", "}\n\n", "error", "ä👋"]
)


@given(st.lists(WORDS, max_size=4), st.booleans(), st.data())
def test_no_text_is_taken_for_anything_else(words: list[str], ascii: bool, data: st.DataObject) -> None:
    deltas = [grown(word) for word in words]
    stream = b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=ascii)}\n\n".encode()
        for event in (START, BLOCK, *deltas, *END)
    )
    assert shown(*in_pieces(stream, data.draw)) == stream


ODD_TEXTS = st.sampled_from(
    [
        b"word",
        b"",
        b'\\"',
        b"\\n" * 100,
        b"x" * 10_000,
        b"\\u00e4",
        b"\\ud83d",
        b"\\ude00",
        b"\\x",
        b'"',
        b"\t",
        b"\xff",
        "ä👋".encode(),
    ]
)
ODD_FORMS = st.sampled_from(
    [
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{%s}}\n\n',
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {%s}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{%s} }    \n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{%s}}\n\n',
        b'event: content_block_delta\r\ndata: {"type":"content_block_delta","index":0,"delta":{%s}}\r\n\r\n',
        b'event: content_block_delta\ndata: {"index":0,"type":"content_block_delta","delta":{%s}}\n\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{%s}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{%s}}\n\n',
        b": note %s\n\n",
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0,"x":{%s}}\n\n',
    ]
)
ODD_DELTAS = st.sampled_from(
    [
        b'"type":"text_delta","text":"%s"',
        b'"type": "text_delta", "text": "%s"',
        b'"type":"thinking_delta","thinking":"%s"',
    ]
)
ODD_FRAMES = st.builds(lambda form, delta, text: form % (delta % text), ODD_FORMS, ODD_DELTAS, ODD_TEXTS)


@given(st.lists(ODD_FRAMES, max_size=6), st.data())
def test_what_is_told_without_parsing_is_what_parsing_tells(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join([written(START, BLOCK), *frames, written(*END)])
    pieces = in_pieces(stream, data.draw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documented_stream, "_GROWTHS", {})
        parsed = shown(*pieces)
    assert shown(*pieces) == parsed


def test_each_event_is_handed_on_with_its_bytes() -> None:
    note = b": note\n\n"
    pieces = DocumentedStream().feed(written(START, BLOCK) + note + written(grown("a"), grown("b"), *END))
    assert [event for _, event in pieces] == [START, BLOCK, None, GROWN, *END]
    assert [frame for frame, _ in pieces] == [
        *map(encode_event, (START, BLOCK)), note, written(grown("a"), grown("b")), *map(encode_event, END)
    ]  # fmt: skip


def test_each_event_of_a_glued_frame_is_a_piece_of_its_own() -> None:
    glued = encode(START).rstrip() + encode({"type": "odd name"}).rstrip() + encode(END[2])
    assert DocumentedStream().feed(glued) == [
        (encode_event(START), START),
        (encode({"type": "odd name"}), {"type": "odd name"}),
        (encode_event(END[2]), END[2]),
    ]


@pytest.mark.parametrize("index", [1, 7])
def test_deltas_for_a_block_that_is_not_open_are_not_taken_for_the_newest_ones(index: int) -> None:
    stray = grown("lost", "input") | {"index": index, "delta": {"type": "input_json_delta", "partial_json": "{}"}}
    assert shown(written(START, CALL, stray, *END)) == written(START, CALL, *END)
