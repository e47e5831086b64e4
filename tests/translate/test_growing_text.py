"""Pieces of a text are joined as they become many, and stay the same text."""

from hypothesis import given
from hypothesis import strategies as st

from app.translate.growing_text import GrowingText


@given(st.lists(st.lists(st.text(max_size=3), max_size=40), max_size=20))
def test_settling_changes_no_text(reads: list[list[str]]) -> None:
    growing = GrowingText()
    for pieces in reads:
        growing += pieces
        growing.settle()
    assert "".join(growing) == "".join(piece for pieces in reads for piece in pieces)


def test_many_pieces_become_few_and_none_is_joined_twice() -> None:
    growing = GrowingText()
    joined: dict[int, str] = {}
    for number in range(1000):
        growing.append(str(number))
        growing.settle()
        joined |= {id(piece): piece for piece in growing if len(piece) > 3}
    assert len(growing) < 100
    assert len(joined) == sum(len(piece) > 3 for piece in growing)
