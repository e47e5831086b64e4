"""Names and ids: legal, reversible, without collisions, and always the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.translate.identifiers import ToolIds, ToolNames

LEGAL = re.compile(r"[a-zA-Z0-9_-]+")


@given(
    st.lists(st.text(max_size=80) | st.sampled_from(["a b", "a_b", "a.b", "x" * 64, "x" * 65])),
    st.sampled_from([64, 128]),
)
def test_names(names: list[str], length: int) -> None:
    map = ToolNames(length)
    sent = [map.sent(name) for name in names]
    assert all(LEGAL.fullmatch(name) and len(name) <= length for name in sent)
    assert [map.restored(name) for name in sent] == names
    assert [ToolNames(length).sent(name) for name in names if LEGAL.fullmatch(name) and len(name) <= length] == [
        name for name in names if LEGAL.fullmatch(name) and len(name) <= length
    ]


def test_a_name_taken_by_a_replacement_is_replaced_itself() -> None:
    map = ToolNames(64)
    replacement = map.sent("a b")
    assert map.sent(replacement) != replacement
    assert map.restored(map.sent(replacement)) == replacement
    assert map.restored("made up") == "made up"


@given(st.lists(st.text(max_size=10) | st.sampled_from(["", "call_0", "a.b", "a:b", "call_0_2"])), st.booleans())
def test_ids(ids: list[str], verbatim: bool) -> None:
    sent = [made.sent(id, str(place)) for made in [ToolIds(verbatim)] for place, id in enumerate(ids)]
    assert len(set(sent)) == len(sent)
    assert verbatim or all(map(LEGAL.fullmatch, sent))
    again = ToolIds(verbatim)
    assert [again.sent(id, str(place)) for place, id in enumerate(ids)] == sent
