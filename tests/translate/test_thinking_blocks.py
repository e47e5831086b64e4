"""Thinking that clients send back, in every form."""

from typing import Any

import pytest

from app.profiles import Profile
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


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"content": "a", "reasoning_content": "hm"}, "messages[].reasoning_content"),
        ({"content": "a", "reasoning": "hm"}, "messages[].reasoning"),
        ({"content": [{"type": "thinking", "thinking": "hm"}, text("a")]}, "messages[].content[].thinking"),
        (
            {"content": "a", "provider_specific_fields": {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}},
            "messages[].provider_specific_fields.thinking_blocks",
        ),
    ],
)
def test_thinking_that_cannot_go_back_is_told_in_every_form(message: Json, told: str) -> None:
    found = translation(user("hi"), {"role": "assistant"} | message, user("go on"))
    assert found.ignored == (told,)
    assert [block["type"] for block in turns(found.body)[1][1]] == ["text"]
    assert translation(user("hi"), {"role": "assistant"} | message, user("go on"), model="glm-4.6").ignored == ()
