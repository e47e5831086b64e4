"""Tool calls in every form a client may want them in."""

import json
from typing import Any

import pytest

from app.errors import UpstreamBroken
from app.translate.answer_blocks import AnswerSoFar, OmittedBlock
from app.translate.call_blocks import call_block, compact, input_text, input_value, own_arguments
from app.translate.tools import ToolForm

PLAIN = ToolForm("plain")
WRAPPED = ToolForm("sum", wrapped=True)
RENAMED = ToolForm("odd", renamed={"a_1": "ä"})
CUSTOM = ToolForm("code", custom=True)
JSON = ToolForm("answer", json_answer=True)


def so_far(**fields: Any) -> AnswerSoFar:
    return AnswerSoFar("chatcmpl-7", **fields)


def told(form: ToolForm, *pieces: str, shared: AnswerSoFar | None = None, **fields: Any) -> list[dict[str, Any]]:
    block = call_block({"type": "tool_use", "id": "a", "name": "x", **fields}, shared or so_far(), form)
    deltas = block.opened()
    for piece in pieces:
        deltas += block.grown({"type": "input_json_delta", "partial_json": piece})
    return deltas + block.closed()


def arguments(deltas: list[dict[str, Any]]) -> str:
    return "".join(call["function"]["arguments"] for delta in deltas for call in delta["tool_calls"])


def test_arguments_are_handed_on_as_they_come() -> None:
    first, *pieces = told(PLAIN, "", ' {"a"', ": 1}")
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "plain", "arguments": ""}}
    assert first == {"tool_calls": [call]}
    assert [delta["tool_calls"][0] for delta in pieces] == [
        {"index": 0, "function": {"arguments": ' {"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ]


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": {}}, {"input": ""}, {"input": " "}])
@pytest.mark.parametrize("pieces", [[], [""], ["", " "]])
@pytest.mark.parametrize("form", [PLAIN, RENAMED])
def test_no_arguments_are_an_empty_object(fields: dict[str, Any], pieces: list[str], form: ToolForm) -> None:
    assert arguments(told(form, *pieces, **fields)) == "{}"


@pytest.mark.parametrize("input", [{"city": "Zürich"}, '{"city":"Zürich"}'])
@pytest.mark.parametrize("form", [PLAIN, RENAMED])
def test_an_input_given_whole(input: Any, form: ToolForm) -> None:
    assert arguments(told(form, input=input)) == '{"city":"Zürich"}'
    assert arguments(told(form, '{"city":"Rome"}', input=input)) == '{"city":"Rome"}'


def test_arguments_return_to_the_clients_own_schema() -> None:
    assert arguments(told(WRAPPED, '{"val', 'ue": [1, 2]}')) == "[1,2]"
    assert arguments(told(WRAPPED, '{"value": "text"}')) == '"text"'
    assert arguments(told(RENAMED, '{"a_1": [{"a_1": 1}], "b": 2}')) == '{"ä":[{"ä":1}],"b":2}'


@pytest.mark.parametrize("form", [PLAIN, WRAPPED, RENAMED])
def test_arguments_that_are_cut_stay_as_they_came(form: ToolForm) -> None:
    assert arguments(told(form, '{"value": [1, ')) == '{"value": [1, '


def test_a_custom_tools_input_is_text_unwrapped() -> None:
    first, second = told(CUSTOM, '{"input": "print(', '1)"}')
    assert first["tool_calls"] == [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "code", "input": ""}}]
    assert second["tool_calls"] == [{"index": 0, "custom": {"input": "print(1)"}}]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [(['{"input": {"a": 1}}'], '{"a":1}'), (['{"other": 1}'], ""), (['{"input": "cut'], '{"input": "cut'), ([], "")],
)
def test_a_custom_tools_input_in_odd_forms(pieces: list[str], expected: str) -> None:
    told_pieces = [delta["tool_calls"][0]["custom"]["input"] for delta in told(CUSTOM, *pieces)]
    assert "".join(told_pieces) == expected


@pytest.mark.parametrize(("form", "written"), [(PLAIN, '{"input": "x"}'), (RENAMED, '{"input":"x"}'), (CUSTOM, "x")])
def test_what_was_written_counts_as_output(form: ToolForm, written: str) -> None:
    shared = so_far()
    told(form, '{"input": ', '"x"}', shared=shared)
    assert shared.output == written


def test_calls_are_numbered_in_the_order_in_which_they_open() -> None:
    shared = so_far()
    custom = call_block({"id": "a"}, shared, CUSTOM)
    plain = call_block({"id": "b"}, shared, PLAIN)
    deltas = custom.opened() + plain.opened() + plain.closed() + custom.closed()
    assert [delta["tool_calls"][0]["index"] for delta in deltas if "id" in delta["tool_calls"][0]] == [0, 1]


def test_an_id_that_is_missing_or_taken_is_replaced() -> None:
    shared = so_far()
    ids = [told(PLAIN, shared=shared, id=id)[0]["tool_calls"][0]["id"] for id in ("x", "x", "", None, 7)]
    assert ids == ["x", "call_7_1", "call_7_2", "call_7_3", "call_7_4"]
    assert list(shared.written) == ids


def test_a_legacy_answer_has_room_for_one_call() -> None:
    shared = so_far(legacy=True)
    assert told(PLAIN, "{}", shared=shared) == [
        {"function_call": {"name": "plain", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]
    assert told(PLAIN, "{}", shared=shared, id="b") == []
    assert shared.calls == 1


# ---------------------------------------------------------------------------------------------- structured output


def content(deltas: list[dict[str, Any]]) -> str:
    return "".join(delta["content"] for delta in deltas)


def test_the_input_of_the_json_tool_is_the_content() -> None:
    shared = so_far()
    assert told(JSON, "", '{"a"', ": 1}", shared=shared) == [{"content": '{"a"'}, {"content": ": 1}"}]
    assert shared.calls == 0
    assert content(told(JSON, input={"a": 1})) == '{"a":1}'
    assert content(told(JSON)) == "{}"
    assert content(told(JSON, " ", input={"a": 1})) == '{"a":1}'
    assert content(told(ToolForm("x", wrapped=True, json_answer=True), '{"value":', " [1]}")) == "[1]"


def test_only_the_first_json_answer_counts() -> None:
    shared = so_far()
    assert content(told(JSON, '{"a": 1}', shared=shared)) == '{"a": 1}'
    assert told(JSON, '{"a": 2}', shared=shared) == []
    assert told(JSON, input={"a": 2}, shared=shared) == []


# ---------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("input", "text"),
    [(None, "{}"), ({}, "{}"), ("", "{}"), ('{"a":1}', '{"a":1}'), ({"ä": 1}, '{"ä":1}'), ([1], "[1]")],
)
def test_input_text(input: Any, text: str) -> None:
    assert input_text(input) == text


@pytest.mark.parametrize(
    ("source", "whole", "value"),
    [
        ("", None, {}),
        ("", {"a": 1}, {"a": 1}),
        ("", '{"a": 1}', {"a": 1}),
        (" ", " ", {}),
        ('{"a": 2}', {"a": 1}, {"a": 2}),
        ('{"a', {"a": 1}, '{"a'),
        ("[" * 100_000, None, "[" * 100_000),
    ],
)
def test_input_value(source: str, whole: Any, value: Any) -> None:
    assert input_value(source, whole) == value


def test_an_input_too_deep_for_any_reader_is_a_broken_upstream() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a_1": deep}
    for call in (lambda: compact(deep), lambda: own_arguments(deep, RENAMED)):
        with pytest.raises(UpstreamBroken, match="nested too deeply"):
            call()


def test_numbers_beyond_64_bits_and_half_surrogate_pairs_survive() -> None:
    value = {"n": 2**80, "t": "\ud83d"}
    assert json.loads(compact(value)) == value


def test_a_block_of_an_unknown_type_says_nothing() -> None:
    block = OmittedBlock({"type": "of_tomorrow", "text": "x"}, so_far())
    assert block.opened() + block.grown({"text": "x"}) + block.closed() == []
