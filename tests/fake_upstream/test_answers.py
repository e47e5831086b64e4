"""What the fake answers: the same message buffered and streamed, in every upstream's habits."""

import json
from typing import Any

import pytest

from tests.fake_upstream import LEGACY, V46, V47, V55, refusal
from tests.fake_upstream.cases import (
    CLOSED,
    ENABLED,
    LONG,
    PDF,
    SEARCH,
    TOOL,
    body,
    document,
    image,
    looped,
    output,
    png,
)
from tests.fake_upstream.defects import defective_events, defective_frames
from tests.fake_upstream.personalities import PERSONALITIES, Personality
from tests.fake_upstream.profiles import LENIENT, ModelProfile
from tests.fake_upstream.rendering import Event, buffered, events, frames
from tests.fake_upstream.scenario import Author
from tests.fake_upstream.script import Call, script
from tests.fake_upstream.terms import Body

ANTHROPIC = PERSONALITIES["anthropic"]
OTHER = {**TOOL, "name": "other_tool", "input_schema": {"type": "object"}}
ASKED = {
    "text": body("hello 🤔"),
    "nothing": body("[[empty]]"),
    "parallel tools": body('[[tool:get_weather {"city": "München 🤔"}]] [[tool:other_tool]]', tools=[TOOL, OTHER]),
    "text and tool": body("[[text]] [[tool:get_weather]] go", tools=[TOOL]),
    "thinking": body("[[think]][[redacted]] why?"),
    "citations": body("[[cite]] news", tools=[SEARCH]),
    "refusal": body("[[refuse]]"),
    "cached": body("[[cached]] " + "long " * 2000),
}


def written(asked: Body, personality: Personality = ANTHROPIC, profile: ModelProfile = LENIENT) -> dict[str, Any]:
    return Author(asked, profile, personality).message()


def parsed(raw: bytes) -> list[Event]:
    """The events of a well-formed stream."""
    found = [json.loads(line.removeprefix("data:")) for line in raw.decode().splitlines() if line.startswith("data:")]
    return [event for event in found if event["type"] != "ping"]


def _grown(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = delta["type"].removesuffix("_delta")
    if kind == "input_json":
        block["arguments"] = block.get("arguments", "") + delta["partial_json"]
    elif kind == "citations":
        block["citations"].append(delta["citation"])
    else:
        block[kind] = block.get(kind, "") + delta[kind]


def folded(stream: list[Event]) -> dict[str, Any]:
    """The message that a stream's events add up to, later usage winning."""
    message: dict[str, Any] = {}
    for event in stream:
        if event["type"] == "message_start":
            message = {**event["message"], "content": []}
        elif event["type"] == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            _grown(message["content"][event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] = {**message["usage"], **event["usage"]}
    for block in message["content"]:
        if block["type"] in ("tool_use", "server_tool_use"):
            block["input"] = json.loads(block.pop("arguments", "") or "{}")
    assert stream[-1] == {"type": "message_stop"}
    return message


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("personality", PERSONALITIES.values(), ids=lambda each: each.name)
def test_a_stream_adds_up_to_the_buffered_message(personality: Personality, asked: Body) -> None:
    message = written(asked, personality)
    streamed = without_nulls(folded(parsed(b"".join(frames(events(message, personality), personality)))))
    whole = without_nulls(buffered(message, personality))
    usage, whole_usage = streamed.pop("usage"), whole.pop("usage")
    absent = {} if personality.start_has_type_and_role else {"type": "message", "role": "assistant"}
    assert {**streamed, **absent} == whole
    assert {name: usage[name] for name in whole_usage} == whole_usage


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("profile", [LEGACY, V46, V47, V55], ids=lambda each: each.name)
def test_an_answer_may_be_sent_back(profile: ModelProfile, asked: Body) -> None:
    message = written(asked, profile=profile)
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    if not message["content"] or message["content"][-1]["type"] == "thinking":
        return
    turns = [
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": results or "on"},
    ]
    assert refusal({**asked, "messages": [*asked["messages"], *turns]}, profile) is None


def events_of(personality: str, text: str, **fields: Any) -> list[Event]:
    habits = PERSONALITIES[personality]
    return events(written(body(text, **fields), habits), habits)


def test_zai_counts_in_message_delta_alone() -> None:
    stream = events_of("z.ai", "hello")
    assert stream[0]["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    assert stream[-2]["usage"]["input_tokens"] > 0


def test_llama_cpp_overlaps_blocks() -> None:
    stream = events_of("llama.cpp", "[[think]][[tool:get_weather]]", tools=[TOOL])
    kinds = [event["type"] for event in stream]
    assert kinds[-4:] == ["content_block_stop", "content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_start") == 2
    assert "input" not in [e for e in stream if e["type"] == "content_block_start"][1]["content_block"]
    assert {"type": "signature_delta", "signature": ""} in [event.get("delta") for event in stream]
    assert list(stream[-2]["usage"]) == ["output_tokens"]


def test_vllm_leaves_keys_out() -> None:
    stream = events_of("vllm", "hello")
    assert not {"type", "role", "stop_reason"} & set(stream[0]["message"])
    assert stream[-2]["delta"] == {"stop_reason": "end_turn"}


def test_ollama_sends_arguments_at_once_and_no_signature() -> None:
    stream = events_of("ollama", "[[think]][[tool:get_weather]]", tools=[TOOL])
    pieces = [e["delta"]["partial_json"] for e in stream if e.get("delta", {}).get("type") == "input_json_delta"]
    assert pieces == ['{"city": "sample"}']
    assert "signature" not in json.dumps(stream)
    assert stream[0]["message"]["usage"]["input_tokens"] != stream[-2]["usage"]["input_tokens"]


@pytest.mark.parametrize(
    ("personality", "start"),
    [
        ("anthropic", "toolu_01"),
        ("kimi", "functions.get_weather:1"),
        ("deepseek", "call_01_"),
        ("z.ai", "call_01_"),
    ],
)
def test_tool_ids_look_like_the_upstream_s(personality: str, start: str) -> None:
    asked = looped(result={"type": "tool_result", "tool_use_id": "toolu_1", "content": "[[tool:get_weather]]"})
    message = written(asked, PERSONALITIES[personality])
    assert message["content"][-1]["id"].startswith(start)


def test_anthropic_pads_its_json() -> None:
    raw = b"".join(frames(events(written(body("hello there")), ANTHROPIC), ANTHROPIC))
    assert b" }" in raw
    assert b"} \n" in raw or b"}  \n" in raw
    assert b'event: ping\ndata: {"type": "ping"}\n\n' in raw


def test_tools_run_only_when_they_are_offered_and_allowed() -> None:
    text = "[[tool:get_weather]]"
    assert written(body(text))["content"][0]["text"].endswith("(no tool get_weather was offered)")
    assert written(body(text, tools=[TOOL], tool_choice={"type": "none"}))["stop_reason"] == "end_turn"
    one = {"type": "auto", "disable_parallel_tool_use": True}
    assert len(written(body(text * 2, tools=[TOOL], tool_choice=one))["content"]) == 1
    assert len(written(body(text * 2, tools=[TOOL]))["content"]) == 2


def test_a_forced_tool_is_called_with_made_up_arguments() -> None:
    choice = {"type": "tool", "name": "get_weather"}
    [call] = written(body("hello", tools=[OTHER, TOOL], tool_choice=choice))["content"]
    assert (call["name"], call["input"]) == ("get_weather", {"city": "sample"})
    [first] = written(body("hello", tools=[OTHER, TOOL], tool_choice={"type": "any"}))["content"]
    assert first["name"] == "other_tool"


def test_structured_output_fits_its_schema() -> None:
    properties = {
        "a": {"$ref": "#/$defs/a"},
        "b": {"type": "array", "items": {"type": "integer"}},
        "c": {"anyOf": [{"type": "null"}]},
        "d": {"type": "string", "format": "date"},
    }
    wanted = {**CLOSED, "properties": properties, "required": list("abcd"), "$defs": {"a": {"enum": ["x"]}}}
    text = written(output(wanted))["content"][0]["text"]
    assert json.loads(text) == {"a": "x", "b": [1], "c": None, "d": "2026-01-02"}


def test_results_are_quoted_and_media_acknowledged() -> None:
    assert written(looped())["content"][0]["text"] == "Tool toolu_1 returned: 20 degrees"
    shown = written(body([{"type": "text", "text": "look"}, image(png()), document(PDF)]))
    assert shown["content"][0]["text"] == "You said: look; with image, document"


def test_stop_sequences_and_limits_cut_the_text() -> None:
    stopped = written(body("one, two, three", stop_sequences=["three", ", t"]))
    assert stopped["content"][0]["text"] == "You said: one"
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", ", t")
    assert written(body("[[max_tokens]] one two"))["stop_reason"] == "max_tokens"
    assert written(body("[[stop:sensitive]] one two"))["stop_reason"] == "sensitive"


def test_a_paused_turn_goes_on_when_it_is_sent_back() -> None:
    asked = body("[[pause:2]] news", tools=[SEARCH])
    reasons = []
    for _ in range(3):
        message = written(asked, profile=V46)
        reasons.append(message["stop_reason"])
        assert refusal(asked, V46) is None
        asked = {
            **asked,
            "messages": [*asked["messages"], {"role": "assistant", "content": message["content"]}],
        }
    assert reasons == ["pause_turn", "pause_turn", "end_turn"]


def test_thinking_is_shown_as_the_model_and_the_request_say() -> None:
    asked = body("hello", thinking=ENABLED, max_tokens=LONG)
    assert written(asked, profile=LEGACY)["content"][0]["thinking"]
    assert written(body("hello"), profile=V55)["content"][0]["thinking"] == ""
    shown = body("hello", thinking={"type": "adaptive", "display": "summarized"})
    assert written(shown, profile=V55)["content"][0]["thinking"]
    assert written(body("[[think]]", thinking={"type": "disabled"}))["content"][0]["type"] == "text"


def test_scripts_are_read_from_text() -> None:
    read = script('[[tool:a {"x": [[1]], "y": "]]"}]] and [[slow]] [[error:429]] [[tool:b]] [[tool:#0 {}]]')
    assert read.calls == (Call("a", {"x": [[1]], "y": "]]"}), Call("b"), Call("#0", {}))
    assert (read.text, dict(read.markers)) == ("and", {"slow": "", "error": "429"})
    assert script("[[tool:a {] [[tool:b 5]] [[Tool]]").text == "[[tool:a {] [[tool:b 5]] [[Tool]]"
    assert script("[[error:many]]").number("error", 500) == 500


def defective(markers: str, **fields: Any) -> tuple[list[Event], bytes]:
    """(events, bytes) of an answer with the defects that the markers name."""
    asked = body(markers + " 🤔 hello", **fields)
    stream = defective_events(events(written(asked), ANTHROPIC), script(markers))
    return stream, b"".join(defective_frames(frames(stream, ANTHROPIC), script(markers)))


@pytest.mark.parametrize(
    ("marker", "sign"),
    [
        ("[[crlf]]", b"\r\n\r\n"),
        ("[[cr]]", b"\r\r"),
        ("[[bom]]", b"\xef\xbb\xbfevent"),
        ("[[comments]]", b": keep-alive\n\nevent: message_stop"),
        ("[[done]]", b"data: [DONE]\n\n"),
        ("[[no-space]]", b'data:{"type"'),
        ("[[two-data-lines]]", b'data: {\ndata: "type"'),
        ("[[error-midstream]]", b'"type":"overloaded_error"'),
        ("[[error-first]]", b"event: error\n"),
        ("[[unknown-events]]", b"event: future_event\n"),
        ("[[null-usage]]", b'"usage":null'),
        ("[[surrogates]]", b"\\ud83e"),
        ("[[late-delta]]", b"too late"),
        ("[[glued]]", b'data: {"type": "pidata: {"type"'),
        ("[[holes]]", b'"index":1'),
    ],
)
def test_a_marker_leaves_its_sign_in_the_stream(marker: str, sign: bytes) -> None:
    assert sign in defective(marker)[1]
    assert sign not in defective("")[1]


def test_a_marker_leaves_parts_of_the_stream_out() -> None:
    assert b"message_delta" not in defective("[[cut]]")[1]
    assert defective("[[cut:-1]]")[1].count(b"message_delta") == 2
    assert defective("[[cut:1]]")[1].count(b"event:") == 1
    assert b"message_stop" not in defective("[[error-midstream]]")[1]
    assert b"event:" not in defective("[[no-event-lines]]")[1]
    assert defective("[[no-final-blank-line]]")[1].rstrip(b" ").endswith(b"}")
    assert b"content_block_stop" not in defective("[[no-block-stops]]")[1]
    assert b"content_block_start" not in defective("[[no-block-starts]]")[1]


def test_input_may_come_whole_at_the_start() -> None:
    stream, _ = defective('[[input-at-start]] [[tool:get_weather {"city": "Paris"}]]', tools=[TOOL])
    [start] = [event for event in stream if event["type"] == "content_block_start"]
    assert start["content_block"]["input"] == {"city": "Paris"}
    assert "content_block_delta" not in [event["type"] for event in stream]
