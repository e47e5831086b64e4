"""Arguments of a history's calls: any text, and none that costs more than its length."""

import time
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.json_size import MAX_VALUES
from app.profiles.profile import Profile
from app.translate.arguments import MAX_DEPTH, UNREADABLE, check_arguments, parsed_arguments
from app.translate.request import Options, messages_request

SECONDS = 5
"""What took minutes must not take this long on a busy machine."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ('{"a": "[{\\"[{"}', {"a": '[{"[{'}),
        ('{"a": "\\\\"}', {"a": "\\"}),
        ('{"a": 1', UNREADABLE),
        ('{"a": NaN}', UNREADABLE),
        ('{"a": 1e999}', UNREADABLE),
        ('{"a": "\\ud800"}', UNREADABLE),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), UNREADABLE),
        ('{"a\\"": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", UNREADABLE),
        ('{"a": "' + "[" * 200 + '\\\\", "b": "' + "{" * 200 + '"}', {"a": "[" * 200 + "\\", "b": "{" * 200}),
        ("[" * 1_000_000, UNREADABLE),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_read(arguments: str, expected: Any) -> None:
    found = parsed_arguments(arguments)
    assert found is expected if expected is UNREADABLE else expected is None or found == expected


@pytest.mark.parametrize("arguments", ['{"a":"' + '\\"' * 100_000 + "{" * 200, "{" * 200 + '"' + '\\"' * 100_000])
def test_a_string_without_end_is_looked_at_once(arguments: str) -> None:
    began = time.monotonic()
    parsed_arguments(arguments)
    assert time.monotonic() - began < SECONDS


def call(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


BOMB = '{"a":[' + "{}," * (MAX_VALUES // 4) + "1]}"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [call(BOMB)] * 3},
        {"role": "assistant", "tool_calls": [call('{"unbalanced": "'), call(BOMB), call(BOMB), call(BOMB)]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": BOMB * 3}},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "id": "c", "input": BOMB}] * 3},
    ],
    ids=["tool_calls", "unbalanced", "function_call", "tool_use"],
)
def test_values_are_counted_over_all_calls(message: dict[str, Any]) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "x"}, message]}
    with pytest.raises(InvalidRequest, match="1,000,000 JSON values") as raised:
        messages_request(request, "m", "m", Profile(), Options())
    assert raised.value.param == "messages"


def test_text_full_of_brackets_is_not_many_values() -> None:
    check_arguments([{"tool_calls": [call('{"code": "' + "[{," * MAX_VALUES + '"}')]}])


@pytest.mark.parametrize(
    "messages",
    [
        None,
        1,
        [None],
        [{}],
        [{"tool_calls": 1}],
        [{"tool_calls": [1, {"function": 1}]}],
        [{"function_call": [], "content": [1]}],
    ],
)
def test_what_is_odd_is_told_elsewhere(messages: Any) -> None:
    check_arguments(messages)
