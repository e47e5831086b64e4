"""Whatever events come, the ones that go on are in the order and form that Anthropic documents."""

from typing import Any

import pytest
from hypothesis import given

from app.translate.documented_events import DocumentedEvents
from tests.translate.answers import EVENTS, START

Event = dict[str, Any]
USAGE = START["message"]["usage"]
DELTA: Event = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}
STOP: Event = {"type": "message_stop"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f"}


def started(index: int | None, kind: str = "text", **fields: Any) -> Event:
    block = {"type": kind, **({kind: ""} if kind in ("text", "thinking") else {}), **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def grown(index: int | None, kind: str, text: str) -> Event:
    field = "partial_json" if kind == "input_json" else kind
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", field: text}}


def stopped(index: int | None) -> Event:
    return {"type": "content_block_stop", "index": index}


def fed(*events: Event) -> list[Event]:
    documented = DocumentedEvents()
    return [shown for event in events for shown in documented.feed(event)]


def test_documented_events_are_the_very_same_objects() -> None:
    events = [
        START,
        started(0, "thinking", signature=""),
        {"type": "ping"},
        grown(0, "thinking", "Hm."),
        grown(0, "signature", "EuwJ"),
        stopped(0),
        started(1, "redacted_thinking", data="EqkE"),
        stopped(1),
        started(2, citations=[]),
        grown(2, "text", "Hi"),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "delta_of_tomorrow", "x": 1}},
        stopped(2),
        started(3, "tool_use", id="a", name="f", input={}),
        grown(3, "input_json", ""),
        stopped(3),
        {"type": "event_of_tomorrow", "index": 9},
        DELTA | {"context_management": {"applied_edits": []}},
        STOP,
    ]
    shown = fed(*events)
    assert len(shown) == len(events)
    assert all(given is came for given, came in zip(shown, events, strict=True))


def test_blocks_that_overlap_stay_as_they_are() -> None:
    """llama.cpp ends all blocks at the end."""
    events = [START, started(0), started(1, "tool_use", input={}), grown(0, "text", "a"), stopped(0), stopped(1), DELTA]
    assert fed(*events) == events


@pytest.mark.parametrize("indexes", [(1, 5), (7, 2), (0, 0), ("0", "1"), (None, None)])
def test_blocks_are_numbered_in_the_order_of_their_starts(indexes: tuple[Any, Any]) -> None:
    """The SDKs look a block up by its place in the list, and fail on a hole."""
    first, second = indexes
    events = [started(first), grown(first, "text", "a"), stopped(first)]
    events += [started(second), grown(second, "text", "b"), stopped(second)]
    assert [event["index"] for event in fed(START, *events)[1:]] == [0, 0, 0, 1, 1, 1]


def test_a_block_that_was_never_started_is() -> None:
    shown = fed(START, grown(4, "thinking", "Hm."), grown(4, "text", "Hi"), grown(None, "text", "!"), DELTA, STOP)
    assert shown == [
        START,
        started(0, "thinking"),
        grown(0, "thinking", "Hm."),
        stopped(0),
        started(1),
        grown(1, "text", "Hi"),
        grown(1, "text", "!"),
        stopped(1),
        DELTA,
        STOP,
    ]


def test_what_belongs_to_no_block_is_left_out() -> None:
    assert fed(START, grown(0, "input_json", "{}"), stopped(3), {"type": "content_block_delta", "index": 0}) == [START]
    signature = grown(0, "signature", "")
    assert fed(START, started(0), signature)[1:] == [started(0)]


def test_blocks_that_are_still_open_are_stopped_before_the_message_ends() -> None:
    assert fed(START, started(0), DELTA, STOP)[-3:] == [stopped(0), DELTA, STOP]
    assert fed(START, started(0), STOP)[-2:] == [stopped(0), STOP]
    early = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": USAGE}
    assert fed(START, started(0), early, grown(0, "text", "a"))[-2:] == [early, grown(0, "text", "a")]


def test_a_block_starts_empty_and_what_it_brought_follows() -> None:
    """Some clients set a block's content aside at its start: it comes in deltas."""
    assert fed(START, started(0, text="Hi"))[1:] == [started(0), grown(0, "text", "Hi")]
    signed = started(0, "thinking", thinking="Hm.", signature="s")
    assert fed(START, signed)[1:] == [
        started(0, "thinking", signature=""),
        grown(0, "thinking", "Hm."),
        grown(0, "signature", "s"),
    ]
    bare = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    assert fed(START, bare)[1:] == [started(0)]
    citation = {"type": "char_location", "cited_text": "So."}
    cited = {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": citation}}
    assert fed(START, started(0, text="Hi", citations=[citation]))[1:] == [
        started(0, citations=[]),
        cited,
        grown(0, "text", "Hi"),
    ]


@pytest.mark.parametrize("input", [{"a": 1}, '{"a":1}'])
@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
def test_an_input_that_came_with_the_start_follows_unless_it_comes_again(kind: str, input: Any) -> None:
    start = started(0, kind, id="a", name="f", input=input)
    empty = started(0, kind, id="a", name="f", input={})
    whole = grown(0, "input_json", '{"a":1}')
    assert fed(START, start, stopped(0))[1:] == [empty, whole, stopped(0)]
    blank = grown(0, "input_json", "")
    assert fed(START, start, blank, stopped(0))[1:] == [empty, blank, whole, stopped(0)]
    assert fed(START, start, whole, stopped(0))[1:] == [empty, whole, stopped(0)]


@pytest.mark.parametrize("input", [{}, {"input": None}, {"input": ""}])
def test_a_call_without_input_starts_with_an_empty_one(input: Event) -> None:
    assert fed(START, started(0, **CALL | input), stopped(0))[1:] == [started(0, **CALL, input={}), stopped(0)]


def test_a_message_starts_once_with_all_that_sdks_build_upon() -> None:
    """vLLM leaves out what is empty, and so does Ollama."""
    bare = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
    zeros = {"usage": {"input_tokens": 0, "output_tokens": 0}}
    assert fed(bare) == [START | {"message": START["message"] | zeros}]
    assert fed({"type": "ping"}, started(0))[1]["message"].keys() >= {"type", "role", "content", "usage"}
    assert fed(START, START, STOP) == [START, STOP]


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (None, {"output_tokens": 2}),
        ({}, {"output_tokens": 2}),
        ({"output_tokens": None, "credits": 1}, {"output_tokens": 2, "credits": 1}),
        ({"input_tokens": "26", "output_tokens": "many"}, {"input_tokens": 26, "output_tokens": 0}),
    ],
)
def test_the_last_usage_counts_in_numbers(usage: Any, shown: Event) -> None:
    """The SDKs read `usage.output_tokens` of a message_delta unasked."""
    assert fed(START, DELTA | {"usage": usage})[-1] == DELTA | {"usage": shown}
    assert fed(START, {"type": "message_delta"})[-1] == {
        "type": "message_delta",
        "delta": {"stop_reason": None, "stop_sequence": None},
        "usage": {"output_tokens": 2},
    }


@pytest.mark.parametrize("index", [0.0, False])
def test_an_index_is_a_whole_number(index: Any) -> None:
    for event in fed(START, started(0) | {"index": index}, stopped(0))[1:]:
        assert type(event["index"]) is int


@given(EVENTS)
def test_no_sequence_of_events_is_shown_in_another_order_than_documented(events: list[Event]) -> None:
    shown = fed(*events)
    open_blocks: set[int] = set()
    begun, count = False, 0
    for event in shown:
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            assert not begun
            begun = True
        elif kind == "content_block_start":
            assert begun
            assert index == count
            open_blocks.add(index)
            count += 1
        elif kind in ("content_block_delta", "content_block_stop"):
            assert index in open_blocks
            open_blocks -= {index} if kind == "content_block_stop" else set()
        elif kind == "message_stop":
            assert begun
            assert not open_blocks
    assert all(again is event for again, event in zip(fed(*shown), shown, strict=True))
