"""Thinking that clients send back, in every form."""

import tracemalloc
from typing import Any

import pytest

from app.profiles.profile import Profile
from tests.translate.requests import Json, call, result, text, translation, turns, user

SIGNATURE = "EuwJ" + "Ck1IbXg+/9" * 8
BLOCK = {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
REDACTED = {"type": "redacted_thinking", "data": "EqkECkYI"}
STRICT, LENIENT = Profile(), Profile(unsigned_thinking=True)


def sent_back(profile: Profile = STRICT, remembered: Json | None = None, **fields: Any) -> list[Json]:
    message = call() | fields
    found = translation(user("hi"), message, result(), model="m", profile=profile, remembered=remembered).body
    return [block for block in turns(found)[1][1] if "thinking" in block["type"]]


FORMS: dict[str, tuple[Json, list[Json]]] = {
    "thinking_blocks": ({"thinking_blocks": [BLOCK, REDACTED]}, [BLOCK, REDACTED]),
    "with an index, as streamed": ({"thinking_blocks": [{"index": 0, **BLOCK}]}, [BLOCK]),
    "in pieces, the signature last": (
        {
            "thinking_blocks": [
                {"type": "thinking", "thinking": "h"},
                {"type": "thinking", "thinking": "m", "signature": SIGNATURE},
            ]
        },
        [BLOCK],
    ),
    "reasoning_details": (
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": SIGNATURE, "format": "anthropic-claude-v1"},
                {"type": "reasoning.encrypted", "data": "EqkECkYI", "format": "anthropic-claude-v1"},
                {"type": "reasoning.summary", "summary": "short"},
            ]
        },
        [BLOCK, REDACTED],
    ),
    "another vendor's reasoning_details": (
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}]},
        [],
    ),
    "provider_specific_fields": ({"provider_specific_fields": {"thinking_blocks": [BLOCK]}}, [BLOCK]),
    "content parts": ({"content": [BLOCK, {"type": "text", "text": "a"}]}, [BLOCK]),
    "a text part that repeats the message": (
        {"content": [{"type": "text", "text": "a", "role": "assistant", "thinking_blocks": [BLOCK, REDACTED]}]},
        [BLOCK, REDACTED],
    ),
    "the first form that serves": ({"thinking_blocks": [], "content": [BLOCK], "reasoning_content": "hm"}, [BLOCK]),
    "a signature without text": ({"thinking_blocks": [BLOCK | {"thinking": ""}]}, [BLOCK | {"thinking": ""}]),
    "no signature": ({"thinking_blocks": [BLOCK | {"signature": ""}], "reasoning_content": "hm"}, []),
    "a signature of DeepSeek's": (
        {"thinking_blocks": [BLOCK | {"signature": "9b2f3c1e-0d4a-4b6e-8f00-1a2b3c4d5e6f"}]},
        [],
    ),
    "a signature of vLLM's": ({"thinking_blocks": [BLOCK | {"signature": "0f" * 16}]}, []),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    fields, expected = FORMS[form]
    assert sent_back(**fields) == expected


def test_unsigned_thinking_goes_to_those_who_take_it() -> None:
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert sent_back(LENIENT, reasoning_content="hm") == [unsigned]
    assert sent_back(LENIENT, reasoning="hm") == [unsigned]
    assert sent_back(LENIENT, thinking_blocks=[unsigned]) == [unsigned]
    assert sent_back(LENIENT, thinking_blocks=[BLOCK | {"signature": "0f" * 16}])[0]["signature"] == "0f" * 16
    assert sent_back(LENIENT, reasoning_content=" ") == []


def test_remembered_blocks_stand_in_for_lost_ones() -> None:
    assert sent_back(remembered={"call_1": [BLOCK]}) == [BLOCK]
    assert sent_back(remembered={"call_1": [BLOCK]}, thinking_blocks=[REDACTED]) == [REDACTED]
    assert sent_back(remembered={"another": [BLOCK]}) == []


def test_unsigned_blocks_do_not_stand_in_front_of_the_remembered_ones() -> None:
    unsigned = {"type": "thinking", "thinking": "shown", "signature": ""}
    assert sent_back(remembered={"call_1": [BLOCK]}, thinking_blocks=[unsigned]) == [BLOCK]
    assert sent_back(LENIENT, remembered={"call_1": [BLOCK]}, thinking_blocks=[unsigned]) == [unsigned]
    assert sent_back(LENIENT, remembered={"call_1": [BLOCK]}, reasoning_content="shown") == [BLOCK]


MALFORMED: list[tuple[str, Any]] = [
    ("reasoning", {"text": "hm"}),
    ("reasoning_content", ["hm"]),
    ("reasoning_details", {"type": "reasoning.text", "text": "hm"}),
    ("reasoning_details", ["hm"]),
    ("thinking_blocks", "hm"),
    ("thinking_blocks", ["hm"]),
]


@pytest.mark.parametrize("profile", [STRICT, LENIENT], ids=["strict", "lenient"])
@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_form_counts_as_absent_and_is_told(name: str, value: Any, profile: Profile) -> None:
    fields = {name: value, "content": [BLOCK]}
    found = translation(user("hi"), call(**fields), result(), model="m", profile=profile)
    assert turns(found.body)[1][1][0] == BLOCK
    assert found.ignored == (f"messages[].{name}",)
    assert sent_back(profile, **{name: value}) == []


def test_a_detail_of_an_odd_format_is_passed_over() -> None:
    detail = {"type": "reasoning.text", "text": "hm", "signature": SIGNATURE}
    assert sent_back(reasoning_details=[detail | {"format": 5}, detail]) == [BLOCK]


def test_the_text_is_read_from_the_field_that_has_one() -> None:
    assert sent_back(LENIENT, reasoning_content=["hm"], reasoning="hm") == [BLOCK | {"signature": ""}]


def test_nothing_goes_back_to_those_who_refuse_it() -> None:
    assert sent_back(Profile(thinking_replay=False), thinking_blocks=[BLOCK]) == []
    assert sent_back(Profile(thinking=()), thinking_blocks=[BLOCK]) == []


def test_what_is_left_out_is_told() -> None:
    found = translation(user("hi"), call(reasoning_content="hm"), result(), model="m", profile=STRICT)
    assert found.ignored == ("messages[].reasoning_content",)


ADAPTIVE = Profile(thinking=("adaptive",))
OTHER = BLOCK | {"thinking": "so"}


def said(*messages: Json, profile: Profile = ADAPTIVE, remembered: Json | None = None) -> list[Json]:
    """The blocks of the answer in the history; what is no thinking is told by its text or id alone."""
    found = translation(user("hi"), *messages, model="m", profile=profile, remembered=remembered).body
    blocks = turns(found)[1][1]
    return [block if "thinking" in block["type"] else block.get("text", block.get("id")) for block in blocks]


def after(block: Json, characters: int, of: int, calls: int = 0) -> Json:
    return block | {"after": {"characters": characters, "of": of, "calls": calls}}


def test_thinking_among_parts_stays_in_its_place() -> None:
    message = call(content=[BLOCK, text("a"), text(" "), OTHER, text("b")])
    assert said(message, result()) == [BLOCK, "a", OTHER, "b", "call_1"]
    # Models that think by budget begin with it: one that its client shows later is moved.
    shown_later = call(content=[text("a"), BLOCK, text("b"), OTHER])
    assert said(shown_later, result()) == ["a", BLOCK, "b", OTHER, "call_1"]
    assert said(shown_later, result(), profile=STRICT) == [BLOCK, "a", "b", OTHER, "call_1"]


def test_thinking_never_ends_an_answer() -> None:
    ends = {"role": "assistant", "content": [text("a"), text("b"), BLOCK]}
    assert said(ends, user("go on")) == ["a", BLOCK, "b"]


def test_pieces_are_joined_at_their_own_place_only() -> None:
    unsigned = {"type": "thinking", "thinking": "h"}
    assert said(call(content=[unsigned, text("a"), BLOCK]), result()) == ["a", BLOCK, "call_1"]


@pytest.mark.parametrize(
    ("content", "remembered", "expected"),
    [
        ("one two", [BLOCK, after(OTHER, 4, 7)], [BLOCK, "one ", OTHER, "two", "call_1"]),
        ("one two", [after(BLOCK, 3, 7), after(OTHER, 4, 7)], ["one", BLOCK, OTHER, "two", "call_1"]),
        ("one two", [after(BLOCK, 7, 7)], ["one two", BLOCK, "call_1"]),
        ("one", [after(BLOCK, 4, 7)], [BLOCK, "one", "call_1"]),
        ([text("one "), text("two")], [after(BLOCK, 4, 7)], ["one ", BLOCK, "two", "call_1"]),
        (None, [after(BLOCK, 0, 0, 1)], [BLOCK, "call_1"]),
    ],
)
def test_remembered_blocks_go_to_the_place_they_had(content: Any, remembered: list[Json], expected: list[Any]) -> None:
    for blocks in ([], [{k: v for k, v in block.items() if k != "after"} for block in remembered]):
        message = call(content=content, thinking_blocks=blocks)
        assert said(message, result(), remembered={"call_1": remembered}) == expected


def test_thinking_between_calls_comes_once_however_the_calls_are_split() -> None:
    remembered = {id: [BLOCK, after(OTHER, 0, 0, 1)] for id in ("call_1", "call_2")}
    both = call() | {"tool_calls": call()["tool_calls"] + call("call_2")["tool_calls"]}
    results = (result(), result("call_2"))
    assert said(both, *results, remembered=remembered) == [BLOCK, "call_1", OTHER, "call_2"]
    assert said(call(), call("call_2"), *results, remembered=remembered) == [BLOCK, OTHER, "call_1", "call_2"]


def test_a_breakpoint_stays_on_the_end_of_a_text_that_is_cut() -> None:
    part = text("one two") | {"cache_control": {"type": "ephemeral"}}
    remembered = {"call_1": [after(BLOCK, 4, 7)]}
    message = call(content=[part])
    found = translation(user("hi"), message, result(), model="m", profile=ADAPTIVE, remembered=remembered).body
    assert turns(found)[1][1][:3] == [text("one "), BLOCK, part | {"text": "two"}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reasoning": "hm"}, "messages[].reasoning"),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "messages[].content[].thinking"),
        (
            {"provider_specific_fields": {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}},
            "messages[].provider_specific_fields.thinking_blocks",
        ),
        ({"thinking_blocks": [BLOCK, {"type": "thinking", "thinking": "hm"}]}, "messages[].thinking_blocks"),
    ],
)
def test_every_form_that_cannot_go_back_is_told(fields: Json, told: str) -> None:
    found = translation(user("hi"), call(**fields), result(), model="m", profile=STRICT)
    assert found.ignored == (told,)


def test_what_says_nothing_is_not_missed() -> None:
    fields = {"thinking_blocks": [], "reasoning_content": " ", "reasoning": ""}
    assert translation(user("hi"), call(**fields), result(), model="m", profile=STRICT).ignored == ()


def test_a_signature_costs_no_more_memory_than_its_length() -> None:
    """A group repeated for each pair of digits kept a note of each: 30 MB of them took 2.7 GB."""
    block = BLOCK | {"signature": "ab" * 2_000_000}
    tracemalloc.start()
    try:
        assert sent_back(thinking_blocks=[block]) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50_000_000
