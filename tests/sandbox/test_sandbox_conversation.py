"""What the sandbox reads in a conversation, whatever shape its content has."""

from typing import Any

import pytest

from app.sandbox.conversation import blocks, called_tools, last_user_turn, media_types, result_text

Json = dict[str, Any]


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Json:
    return {"role": "assistant", "content": content}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([user("a")], "a"),
        ([user("old"), assistant("x"), user("a"), user([text("b")])], "a\nb"),
        ([user("a"), assistant("prefill")], "a"),
        ([user("a"), {"role": "system", "content": "late"}], "a"),
        ([user([text("<system-reminder>no</system-reminder>"), text(" a ")])], "a"),
        ([user([{"type": "tool_result", "content": "no"}, {"type": "text"}])], ""),
        ([assistant("x")], ""),
        ([], ""),
    ],
)
def test_the_words_of_the_last_user_turn(messages: list[Json], words: str) -> None:
    assert last_user_turn(messages).text == words


def test_the_results_of_the_last_user_turn() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "1"}
    assert last_user_turn([user([result]), assistant("x"), user([result, text("a")])]).tool_results == [result]


@pytest.mark.parametrize(
    ("content", "read"),
    [("a", [text("a")]), ([text("a"), "b", {"text": "c"}, {"type": 5}], [text("a")]), (None, []), ({"type": "x"}, [])],
)
def test_content_as_blocks(content: Any, read: list[Json]) -> None:
    assert blocks(content) == read


def test_tools_by_the_id_of_their_call_over_all_turns() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f"}
    messages = [assistant([call]), user("x"), assistant([call | {"id": "b", "name": "g"}, text("x")])]
    assert called_tools(messages) == {"a": "f", "b": "g"}


@pytest.mark.parametrize(
    ("content", "read"),
    [("a b", "a b"), ([text("a"), {"type": "image"}, text("b")], "a [image] b"), (None, ""), ([], "")],
)
def test_the_text_of_a_result(content: Any, read: str) -> None:
    assert result_text({"type": "tool_result", "content": content}) == read


def test_media_anywhere_in_the_conversation_in_order() -> None:
    def image(source: Any) -> Json:
        return {"type": "image", "source": source}

    result = {"type": "tool_result", "content": [image({"type": "base64", "media_type": "image/gif"})]}
    document = {"type": "document", "source": {"type": "url"}}
    messages = [user([image({"type": "base64", "media_type": "image/png"}), document]), user([result, image(None)])]
    assert media_types(messages, "image") == ["image/png", "image/gif", "no source"]
    assert media_types(messages, "document") == ["url"]
