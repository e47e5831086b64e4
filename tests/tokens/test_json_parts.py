"""JSON as a model is shown it: in pieces, lazily, without recursion, and with media by their own price."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokens.families import OTHER
from app.tokens.json_parts import Part, encrypted_tokens, json_parts
from app.tokens.media import image_tokens, pdf_tokens
from app.tokens.sampling import SLICE_CHARS

IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:", max_size=4),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("ab", min_size=1), children, max_size=3),
    max_leaves=12,
)


def parts(value: Any) -> list[Part]:
    return list(json_parts(value, OTHER))


def text(value: Any) -> str:
    return "".join(part for part in parts(value) if isinstance(part, str))


@given(JSON)
def test_the_text_is_compact_json_but_for_commas_and_names(value: Any) -> None:
    told = text(value).replace(",", "").replace("True", "true").replace("False", "false").replace("None", "null")
    assert told == json.dumps(value, separators=(",", ":")).replace(",", "")


def test_strings_are_shown_as_they_are() -> None:
    assert text({"a": 'ü"\n'}) == '{"a":"ü"\n",},'


def test_a_long_value_comes_in_slices() -> None:
    *slices, rest = [len(str(part)) for part in parts(["x" * 97] * 1000)]
    assert all(SLICE_CHARS <= size <= SLICE_CHARS + 100 for size in slices)
    assert rest < SLICE_CHARS
    assert sum(slices) + rest == 2 + 100 * 1000 + 1


def test_nothing_is_read_before_it_is_asked_for() -> None:
    class Counted(list[str]):
        read = 0

        def __iter__(self) -> Any:
            for item in super().__iter__():
                Counted.read += 1
                yield item

    next(json_parts(Counted(["x" * SLICE_CHARS] * 100), OTHER))
    assert Counted.read == 1


def test_a_deep_value_needs_no_stack() -> None:
    value: Any = 1
    for _ in range(50_000):
        value = [value]
    assert text(value) == "[" * 50_000 + "1," + "]," * 50_000


def test_an_integer_that_python_does_not_write_is_still_counted() -> None:
    assert text(10**5000) == f"{10**5000:x},"
    assert text(-(2**999)) == f"{-(2**999)},"


def test_what_steers_the_api_is_no_text_at_the_top() -> None:
    steering = {"cache_control": {"type": "ephemeral"}, "strict": True, "defer_loading": True}
    assert text(steering | {"name": "f"}) == '{"name":"f",},'
    assert text({"input": {"strict": True}}) == '{"input":{"strict":True,},},'


@pytest.mark.parametrize(("value", "tokens"), [("x" * 160, 30), ("", 0), (None, 0), (5, 0), (["x" * 160], 0)])
def test_four_bytes_of_an_encrypted_field_are_a_token(value: Any, tokens: int) -> None:
    assert encrypted_tokens(value) == tokens


def test_encrypted_fields_and_media_are_tokens_and_no_text() -> None:
    image = {"type": "base64", "media_type": "image/png", "data": IMAGE}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}
    value = {"encrypted_content": "x" * 160, "a": [image, pdf]}
    assert [part for part in parts(value) if isinstance(part, int)] == [
        30,
        image_tokens(IMAGE, OTHER),
        pdf_tokens("JVBERi0x"),
    ]
    assert IMAGE not in text(value)
    assert text({"a": {"type": "base64", "data": 5}}) == '{"a":{"type":"base64","data":5,},},'
