"""Content parts that are text, and the marks on any part."""

import pytest

from tests.translate.requests import Json, body, text, turns, user

MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        ("a", [text("a")]),
        ([text("a"), {"type": "input_text", "text": "b"}, "c"], [text("a"), text("b"), text("c")]),
        ([text("a"), text(""), text(" \n\u2003")], [text("a")]),
        ([text("a") | MARK, text(" ") | MARK], [text("a") | MARK]),
        ([text("a") | {"prompt_cache_breakpoint": {"mode": "explicit"}}], [text("a") | MARK]),
        ([text("a") | {"annotations": [], "id": "x"}], [text("a")]),
    ],
)
def test_texts(content: object, blocks: list[Json]) -> None:
    assert turns(body(user(content))) == [("user", blocks)]


def test_system_parts() -> None:
    sent = body({"role": "system", "content": [text("a"), "b", text("")]}, user("hi"))
    assert sent["system"] == "a\n\nb"
    marked = body({"role": "system", "content": [text("a") | MARK, text("b")]}, user("hi"))
    assert marked["system"] == [text("a") | MARK, text("b")]
