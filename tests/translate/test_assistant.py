"""Tool calls of a history: arguments that are empty, cut, or no object never fail the request."""

import json
from typing import Any

import pytest

from app.errors import InvalidRequest
from tests.translate.requests import WEATHER, Json, call, result, text, translation, turns, user

DEEP = "[" * 200 + "]" * 200
LIST_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}
ODD_KEYS = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a b": {}}}}}
CUSTOM = {"type": "custom", "custom": {"name": "f"}}


def sent_input(arguments: Any, tool: Json = WEATHER) -> tuple[Json, tuple[str, ...]]:
    name = tool[tool["type"]]["name"]
    message = call(name=name)
    message["tool_calls"][0]["function"]["arguments"] = arguments
    found = translation(user("hi"), message, result(), tools=[tool])
    return turns(found.body)[1][1][0]["input"], found.adjusted


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        ('{"city": "Paris"}', {"city": "Paris"}),
        ("", {}),
        (" ", {}),
        (None, {}),
        ("null", {}),
        ({"city": "Paris"}, {"city": "Paris"}),
        ('{"n": 12345678901234567890123}', {"n": 12345678901234567890123}),
    ],
)
def test_objects(arguments: Any, input: Json) -> None:
    assert sent_input(arguments) == (input, ())


@pytest.mark.parametrize("arguments", ['{"city": "Pa', "[1]", '"a"', "5", "NaN", '{"a": NaN}', '{"a": 1e999}', DEEP])
def test_anything_else_is_kept_as_it_was(arguments: str) -> None:
    told = ("messages[1].tool_calls[0].function.arguments={_raw}",)
    assert sent_input(arguments) == ({"_raw": arguments}, told)


def test_half_a_surrogate_pair_is_kept_as_its_escape() -> None:
    assert sent_input('{"a": "\\ud83d"}')[0] == {"_raw": '{"a": "\\ud83d"}'}
    assert sent_input('{"a": "\\ud83d\\ude00"}')[0] == {"a": "😀"}
    assert sent_input(json.dumps({"a": "{" * 300}))[0] == {"a": "{" * 300}


def test_arguments_follow_the_schema_that_was_sent() -> None:
    assert sent_input("[1, 2]", LIST_TOOL)[0] == {"value": [1, 2]}
    assert sent_input("[1, 2", LIST_TOOL)[0] == {"_raw": "[1, 2"}
    (key,) = sent_input('{"a b": 1}', ODD_KEYS)[0]
    assert key.startswith("a_b_")


def test_custom_calls() -> None:
    made = {"id": "call_1", "type": "custom", "custom": {"name": "f", "input": "free text"}}
    found = translation(user("hi"), {"role": "assistant", "tool_calls": [made]}, result(), tools=[CUSTOM])
    assert turns(found.body)[1][1][0]["input"] == {"input": "free text"}


PART = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"city": "Paris"}}


def called(content: Any, **fields: Any) -> tuple[list[Json], tuple[str, ...]]:
    """What goes upstream for an assistant message, and what was ignored."""
    message = {"role": "assistant", "content": content, **fields}
    found = translation(user("hi"), message, result())
    return turns(found.body)[1][1], found.ignored


def test_calls_among_the_parts_of_the_content() -> None:
    assert called([PART, text("Let me see.")]) == ([text("Let me see."), PART], ())
    assert called([PART | {"input": '{"city": "Paris"}'}]) == ([PART], ())
    assert called([PART | {"input": None}]) == ([PART | {"input": {}}], ())
    mark = {"cache_control": {"type": "ephemeral"}}
    assert called([PART | mark]) == ([PART | mark], ())


def test_a_call_that_is_a_part_too_is_made_once() -> None:
    assert called([PART], tool_calls=call(name="f")["tool_calls"]) == ([PART], ())


def test_parts_that_the_model_cannot_have_said_are_left_out_and_told() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    for part in (image, {"type": "reasoning", "text": "hm"}, {"type": "tool_reference"}):
        assert called([part, text("a"), PART]) == ([text("a"), PART], ("messages[].content[].type",))


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (PART | {"name": None}, "name"),
        (PART | {"id": 5}, "id"),
        (PART | {"input": [1]}, "input"),
        ({"type": "text", "text": 5}, "text"),
        ({"text": "a"}, "type"),
    ],
)
def test_an_odd_part_is_refused_with_its_path(part: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        called([part])
    assert caught.value.param == f"messages[1].content[0].{param}"


@pytest.mark.parametrize(
    ("made", "param"),
    [
        ({"id": "1"}, "function"),
        ({"id": "1", "function": {}}, "function.name"),
        ({"id": "1", "custom": {"name": "f"}}, "custom.input"),
        ({"id": 5, "function": {"name": "f"}}, "id"),
    ],
)
def test_an_odd_call_is_refused_with_its_path(made: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation({"role": "assistant", "tool_calls": [made]})
    assert caught.value.param == f"messages[0].tool_calls[0].{param}"
