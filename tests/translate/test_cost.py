"""Requests made to be expensive: what they cost grows no faster than they do."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.profiles.profile import Profile
from app.translate.identifiers import ToolIds, ToolNames
from app.translate.messages import HistoryReader
from app.translate.report import Report
from app.translate.schema import tool_schema
from app.translate.tools import Toolbox
from app.translate.turns import AssistantTurn
from tests.translate.requests import Json, call, result, translation, user

SECONDS = 0.5
"""A multiple of what each case takes; the superlinear ways took from 5 seconds to hours."""
SIGNATURE = "EuwJ" + "Ck1IbXg+/9" * 8


@pytest.fixture(autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    """A pass over all that thousands of other tests left in memory takes half a second, and may fall into any case."""
    gc.disable()
    yield
    gc.enable()


def ref(depth: int) -> Json:
    return {"$ref": f"#/$defs/d{depth}"}


def doubling(keyword: str, depth: int = 40) -> Json:
    """Each definition refers twice to the next one."""
    definitions: Json = {f"d{i}": {keyword: [ref(i + 1), ref(i + 1)]} for i in range(depth)}
    return {**ref(0), "$defs": {**definitions, f"d{depth}": {"type": "object", "properties": {"x": {}}}}}


def doubling_properties(depth: int = 40) -> Json:
    pair = {f"d{i}": {"type": "object", "properties": {"x": ref(i + 1), "y": ref(i + 1)}} for i in range(depth)}
    last = {"type": "object", "properties": {"x": {"type": "string"}}}
    return {"type": "object", "properties": {"x": ref(0)}, "$defs": {**pair, f"d{depth}": last}}


def many_branches(keyword: str, count: int = 8_000) -> Json:
    return {keyword: [{"type": "object", "properties": {"x": {"enum": [i]}}} for i in range(count)]}


def one_target(kind: str, count: int = 1_000) -> Json:
    properties = {"properties": {f"p{i}": {} for i in range(5_000)}} if kind == "object" else {}
    big = {"type": kind, "description": "d" * 100_000, **properties}
    return {"anyOf": [{"$ref": "#/$defs/big", "title": str(i)} for i in range(count)], "$defs": {"big": big}}


def spelled_in_many_ways(count: int = 500) -> Json:
    """References to one large schema outside `$defs`, each with other letters of its path percent-encoded."""
    big = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(1_000)}}
    paths = ["".join(c if i >> j & 1 else f"%{ord(c):02x}" for j, c in enumerate("properties")) for i in range(count)]
    references = {f"r{i}": {"$ref": f"#/{path}/big"} for i, path in enumerate(paths)}
    return {"type": "object", "properties": {"big": big, **references}}


def levels(named: bool, depth: int = 100) -> Json:
    """Each level of a deep schema is referred to, by its place or its name, and holds all levels below."""
    level: Json = {"type": "object", "properties": {f"p{i}": {"description": "d" * 50} for i in range(5_000)}}
    references, place = {}, "#/properties/top"
    for number in range(depth):
        level = {"type": "object", "properties": {"x": level}} | ({"$id": f"L{number}"} if named else {})
        references[f"r{number}"] = {"$ref": f"L{number}" if named else place}
        place += "/properties/x"
    return {"type": "object", "properties": {"top": level, **references}}


def chain(count: int = 5_000) -> Json:
    definitions: Json = {f"d{i}": {"anyOf": [ref(i + 1), {"type": "object"}]} for i in range(count)}
    return {**ref(0), "$defs": {**definitions, f"d{count}": {"type": "object"}}}


def nested(depth: int = 200) -> Json:
    """A large property that each level describes once more."""
    schema: Json = {"type": "object", "properties": {"x": {"enum": [*range(50_000)]}}}
    for level in range(depth):
        schema = {"anyOf": [{"type": "object", "properties": {"x": {"const": level}}}, schema]}
    return schema


def linked(count: int = 5_000) -> Json:
    definitions: Json = {f"d{i}": {"type": "array", "items": ref(i + 1)} for i in range(count)}
    items = {"type": "object", "properties": {"x": ref(0)}}
    return {**items, "$defs": {**definitions, f"d{count}": {"type": "string"}}}


SCHEMAS: dict[str, Callable[[], Json]] = {
    "anyOf of two references, 40 deep": lambda: doubling("anyOf"),
    "allOf of two references, 40 deep": lambda: doubling("allOf"),
    "properties of two references, 40 deep": doubling_properties,
    "8,000 alternatives of one property": lambda: many_branches("anyOf"),
    "8,000 conditions of one property": lambda: many_branches("allOf"),
    "1,000 references to one large object": lambda: one_target("object"),
    "1,000 references to one large string": lambda: one_target("string"),
    "500 spellings of one reference": spelled_in_many_ways,
    "references to 100 levels by their place": lambda: levels(named=False),
    "references to 100 levels by their name": lambda: levels(named=True),
    "a chain of 5,000 alternatives": chain,
    "a chain of 5,000 references": linked,
    "a large property, 200 deep": nested,
    "a pattern of 2 MB": lambda: {"type": "string", "pattern": "[a-z]" * 400_000},
    "2,000 patterns": lambda: {"items": {"allOf": [{"pattern": f"[a-z]{i}" * 100} for i in range(2_000)]}},
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_schema(case: str) -> None:
    parameters = SCHEMAS[case]()
    started = time.process_time()
    repaired = tool_schema(parameters)
    assert repaired.native is None or repaired.native["type"] == "object"
    size = len(json.dumps(repaired.schema))
    assert time.process_time() - started < SECONDS
    assert repaired.schema["type"] == "object"
    assert size < 4 * len(json.dumps(parameters)) + 1_000_000


def test_only_what_comes_back_to_itself_is_recursive() -> None:
    assert tool_schema(doubling_properties()).native is not None
    circle = doubling_properties()
    circle["$defs"]["d40"]["properties"]["x"] = ref(3)
    assert tool_schema(circle).native is None


def test_alternatives_of_a_property_are_told_once_each() -> None:
    parts: list[Any] = [{"type": "string"}, {"type": "integer"}, {"type": "string"}, {"type": "integer"}, True]
    schema = tool_schema({"oneOf": [{"type": "object", "properties": {"x": part}} for part in parts]}).schema
    assert schema["properties"]["x"] == {"anyOf": [{"type": "string"}, {"type": "integer"}, True]}


def test_what_a_reference_says_stays_however_often_it_is_followed() -> None:
    schema = tool_schema(doubling("anyOf", 8)).schema
    assert schema["properties"] == {"x": {}}


def test_patterns_of_many_tools() -> None:
    """6 MB: compiling them all took 6 seconds."""
    patterns = [[f"^(x{tool}y|{'[a-c]+?d|' * 100}{number})$" for number in range(10)] for tool in range(600)]
    schemas: list[Json] = [{"properties": {f"p{n}": {"pattern": p} for n, p in enumerate(own)}} for own in patterns]
    tools = [{"type": "function", "function": {"name": f"t{n}", "parameters": s}} for n, s in enumerate(schemas)]
    started = time.process_time()
    sent = translation(user("hi"), model="m", tools=tools).body["tools"]
    assert time.process_time() - started < SECONDS
    assert sent[0]["input_schema"]["properties"]["p0"] == {"pattern": patterns[0][0]}
    assert sent[-1]["input_schema"]["properties"]["p0"] == {"description": f"(pattern: {patterns[-1][0]})"}
    assert translation(user("hi"), model="m", tools=tools).body["tools"] == sent


def test_a_long_pattern_is_told_instead() -> None:
    pattern = "[a-z]" * 250
    x = tool_schema({"type": "object", "properties": {"x": {"pattern": pattern}}}).schema["properties"]["x"]
    assert x == {"description": f"(pattern: {pattern})"}


def test_equal_ids() -> None:
    ids = ToolIds(verbatim=False)
    started = time.process_time()
    sent = [ids.sent("call_0") for _ in range(16_000)]
    assert time.process_time() - started < SECONDS
    assert sent[:3] == ["call_0", "call_0_2", "call_0_3"]
    assert len(set(sent)) == len(sent)


def made(id: str, count: int) -> Json:
    function = {"name": "get_weather", "arguments": "{}"}
    calls = [{"type": "function", "function": function} | ({"id": id} if id else {}) for _ in range(count)]
    return {"role": "assistant", "content": None, "tool_calls": calls}


@pytest.mark.parametrize("id", ["", "call_0"])
def test_results_that_only_their_order_tells_apart(id: str) -> None:
    history = HistoryReader(Profile(), Toolbox(ToolNames(64)), {}, Report())
    answers = [{"role": "tool", "tool_call_id": id, "content": str(i)} for i in range(8_000)]
    started = time.process_time()
    messages = history.read([user("hi"), made(id, len(answers)), *answers]).messages
    assert time.process_time() - started < 2 * SECONDS
    assert [block["content"] for block in messages[-1]["content"]] == [str(i) for i in range(len(answers))]


def test_adjacent_answers_with_thinking() -> None:
    thought = [{"type": "thinking", "thinking": f"t{i}", "signature": ""} for i in range(10_000)]
    turn = AssistantTurn()
    started = time.process_time()
    for block in thought + thought:
        turn.say([dict(block), {"type": "text", "text": "a"}])
    assert time.process_time() - started < SECONDS
    assert [block for block in turn.said if block["type"] == "thinking"] == thought
    assert len(turn.said) == 3 * len(thought)


def test_thinking_in_pieces() -> None:
    pieces = [{"type": "thinking", "thinking": "t" * 100} for _ in range(40_000)]
    message = call() | {"thinking_blocks": [*pieces, {"type": "thinking", "thinking": "!", "signature": SIGNATURE}]}
    started = time.process_time()
    messages = translation(user("hi"), message, result(), model="m", profile=Profile()).body["messages"]
    assert time.process_time() - started < 2 * SECONDS
    joined = {"type": "thinking", "thinking": "t" * 4_000_000 + "!", "signature": SIGNATURE}
    assert messages[1]["content"][0] == joined
