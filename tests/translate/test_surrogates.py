"""Surrogate pairs that an upstream split over two events are joined again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translate.surrogates import SurrogateJoiner, has_lone_surrogate, mended

FIELDS = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}


def delta(text: str, field: str = "text", index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": FIELDS[field], field: text}}


def joined(events: list[dict[str, Any]], field: str = "text") -> str:
    joiner = SurrogateJoiner()
    told = [out for event in events for out in joiner.feed(event)] + joiner.end()
    return "".join(out["delta"].get(field, "") for out in told if out["type"] == "content_block_delta")


@given(st.text(alphabet="a👋é🎈", max_size=8), st.sampled_from(sorted(FIELDS)))
def test_text_cut_by_utf_16_units_is_whole_again(text: str, field: str) -> None:
    units = text.encode("utf-16-le")
    halves = [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]
    assert joined([delta(half, field) for half in halves], field) == text


@given(st.lists(st.text(alphabet="a\ud83d\udc4b", max_size=4), max_size=6))
def test_whatever_comes_can_be_encoded_and_no_whole_character_is_lost(pieces: list[str]) -> None:
    text = joined([delta(piece) for piece in pieces])
    text.encode()
    expected = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert text == expected


@pytest.mark.parametrize("end", ["content_block_stop", "message_delta", "message_stop"])
def test_a_half_that_stays_alone_is_told_before_the_end(end: str) -> None:
    joiner = SurrogateJoiner()
    assert joiner.feed(delta("Hi \ud83d")) == [delta("Hi ")]
    assert joiner.feed({"type": end, "index": 0}) == [delta("\ufffd"), {"type": end, "index": 0}]
    assert joined([delta("Hi \ud83d")]) == "Hi \ufffd"


def test_blocks_that_overlap_keep_their_halves_apart() -> None:
    joiner = SurrogateJoiner()
    events = [delta("\ud83d", index=0), delta("\ud83c", index=1), delta("\udc4b", index=0), delta("\udf88", index=1)]
    told = [out for event in events for out in joiner.feed(event)]
    assert [(out["index"], out["delta"]["text"]) for out in told] == [(0, ""), (1, ""), (0, "👋"), (1, "🎈")]
    assert not joiner.pending


def test_halves_anywhere_else_become_replacement_characters() -> None:
    event = {"type": "content_block_start", "content_block": {"input": {"\ud83dx": ["\udc4b", 1]}}}
    assert has_lone_surrogate(event)
    assert mended(event) == {"type": "content_block_start", "content_block": {"input": {"\ufffdx": ["\ufffd", 1]}}}
    assert not has_lone_surrogate(mended(event))
