"""Strict JSON: what is read, and what is said of what is not."""

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import json_body
from app.errors import InvalidRequest
from app.json_body import dump_json, read_json
from app.json_size import MAX_VALUES


@pytest.mark.parametrize(
    "value",
    [{}, [], "x", 1, 1.5, -0.0, True, None, {"a": [{"b": "é🤔\u2028"}]}, {"n": 2**70}, "\\ud800 in words", 1e308],
)
def test_values_survive(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(dump_json(value)) == value


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        (b"", None, "empty"),
        (b" \n", None, "empty"),
        (b"\xef\xbb\xbf{}", None, "BOM"),
        (b'{"a": "\xff"}', None, "UTF-8 (byte 7)"),
        ('{"a": 1}'.encode("utf-16"), None, "UTF-8"),
        (b'{"a": 1,}', None, "not valid JSON"),
        (b'{"a": 1} x', None, "Extra data"),
        (b"{'a': 1}", None, "not valid JSON"),
        (b'{"a": [1, NaN]}', "a.1", "NaN"),
        (b'{"a": -Infinity}', "a", "-Infinity"),
        (b'{"a": {"b": 1e999}}', "a.b", "too large"),
        (b'{"a": {"b": 1, "b": 2}}', "a.b", "twice"),
        (b'{"a": 1, "a": 1}', "a", "twice"),
        (b'{"a": ["x", "\\ud83e"]}', "a.1", "surrogate"),
        (b'{"\\udead": 1}', None, "surrogate"),
        (b"[" * 200_000, None, "deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", None, "too many digits"),
        (b"[" + b"{}," * MAX_VALUES + b"1]", None, "more than"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(body: bytes, param: str | None, said: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(body)
    assert raised.value.param == param
    assert said in raised.value.message
    assert "sys." not in raised.value.message


def test_text_full_of_brackets_is_not_many_values() -> None:
    assert len(read_json(json.dumps("[{," * MAX_VALUES).encode())) == 3 * MAX_VALUES


@pytest.mark.parametrize("end", [b"", b"\\", b'"'])
def test_a_string_without_end_is_looked_at_once(end: bytes) -> None:
    body = b"[" + b"," * MAX_VALUES + b'"' + b'\\"' * 100_000 + end
    began = time.monotonic()
    with pytest.raises(InvalidRequest):
        read_json(body)
    assert time.monotonic() - began < 5, "it took minutes"


def test_a_body_of_nothing_but_quotes() -> None:
    with pytest.raises(InvalidRequest, match="more than"):
        read_json(b'""' * (3 * MAX_VALUES) + b"," * (MAX_VALUES + 1))


def test_escapes_hide_no_value() -> None:
    for hiding in (b'"\\\\"', b'"\\""', b'"a\\\\\\""'):
        with pytest.raises(InvalidRequest, match="more than"):
            read_json(b"[" + hiding + b"," + b"{}," * MAX_VALUES + b"1]")


def test_what_cannot_be_written_is_the_clients_error() -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(InvalidRequest):
        dump_json(value)


def strictly(source: bytes) -> Any:
    try:
        return json_body._strictly_read(source)
    except InvalidRequest as refusal:
        return refusal.message, refusal.param


TRICKY = st.sampled_from(['"a"', '"a:"', '"\\u003a"', '"\\\\"', '"\\":"', '":"', '"\\ud83d\\ude00"', '"\\ud800"'])
NUMBERS = st.sampled_from(["0", "-0", "1e5", "1e999", "9223372036854775808", "-9223372036854775809", "NaN", "0.1"])
SPACE = st.sampled_from(["", " ", "\n", "\t "])
SOURCES = st.recursive(
    TRICKY | NUMBERS | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(TRICKY, SPACE, inner), max_size=4).map(
            lambda members: "{" + ",".join(f"{key}{space}:{value}" for key, space, value in members) + "}"
        )
    ),
    max_leaves=12,
)


@given(SOURCES)
@settings(max_examples=400)
def test_the_quick_reading_gives_and_refuses_what_the_strict_one_does(source: str) -> None:
    try:
        read = read_json(source.encode())
    except InvalidRequest as refusal:
        read = refusal.message, refusal.param
    assert repr(read) == repr(strictly(source.encode()))


NAMES = st.text(alphabet='a:\\"u003é"\n', max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=400)
def test_what_is_written_as_it_came_is_what_the_strict_reading_gives(value: Any) -> None:
    body = orjson.dumps(value)
    assert json_body._comes_back(value, body)
    assert repr(read_json(body)) == repr(strictly(body))


def test_what_comes_back_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "_is_whole", lambda value, body: pytest.fail("it was looked at"))
    assert read_json('{"a":[{"b":"é:\\n"}],"n":0.7}'.encode()) == {"a": [{"b": "é:\n"}], "n": 0.7}


@pytest.mark.parametrize(
    "source",
    [
        b'{"a":1,"a":2}',
        b'{"a":"x:y","a":2}',
        b'{"a":1,"a":"\\u003a"}',
        b'{"a":1,"b":{"c":[],"c":[]}}',
        b'{"\\u003a":1,"\\u003A":2}',
        b'{"a":12345678901234567890123}',
    ],
)
def test_where_orjson_is_not_strict_enough(source: bytes) -> None:
    with pytest.raises(json_body._Doubtful):
        json_body._quickly_read(source)
