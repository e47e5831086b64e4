"""The one JSON object in a text, wherever the text is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translate.json_text import JsonText
from tests.translate.pieces import in_pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet='{}"\\ab[] \n`', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PROSE = st.sampled_from(["", "Sure: ", "Here, {you}:\n```json\n", "Use { this } or {} not\n".replace("{}", "{x}")])


def let_through(pieces: list[str]) -> tuple[str, str]:
    extractor = JsonText()
    return "".join(map(extractor.feed, pieces)), extractor.rest()


@given(PROSE, st.dictionaries(st.text(max_size=3), VALUES, max_size=3), st.booleans(), st.data())
def test_one_object_comes_out_of_any_text_however_it_is_cut(
    before: str, value: dict[str, Any], pretty: bool, data: st.DataObject
) -> None:
    source = json.dumps(value, ensure_ascii=False, indent=2 if pretty else None)
    text = f"{before}{source}\n```\nEnjoy {{it}}, or {{}}!"
    found, rest = let_through(in_pieces(text, data.draw))
    assert found == source
    assert rest == ""


@given(st.text(alphabet='{}"a \n', max_size=20), st.data())
def test_nothing_is_lost_without_an_object(text: str, data: st.DataObject) -> None:
    whole = let_through([text])
    assert let_through(in_pieces(text, data.draw)) == whole
    found, rest = whole
    assert found in text
    assert found or rest == text


def test_a_text_without_an_object_is_given_back() -> None:
    assert let_through(["I have ", "no {plan} ", "{ "]) == ("", "I have no {plan} { ")


@pytest.mark.parametrize("pieces", [["{", " ", "\n", '"a": 1}'], ['{"a": "\\', '"}"}'], ["x{", "}y"]])
def test_an_object_cut_at_its_structure(pieces: list[str]) -> None:
    found, rest = let_through(pieces)
    assert found == "".join(pieces).strip("xy")
    assert rest == ""


def test_an_object_that_is_cut_goes_out_as_far_as_it_came() -> None:
    assert let_through(['Sure: {"a": [1, 2']) == ('{"a": [1, 2', "")
