"""Cutting a text or bytes into pieces of any size."""

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

Cuttable = TypeVar("Cuttable", str, bytes)


def in_pieces(whole: Cuttable, draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Cuttable]:
    """`whole` cut at places that hypothesis draws."""
    places = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=12)))
    edges = [0, *places, len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(edges)]
