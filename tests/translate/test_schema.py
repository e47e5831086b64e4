"""Schemas of every dialect become 2020-12 with an object root, and nothing of them is emptied."""

from typing import Any

import pytest

from app.translate.native_schema import native_schema
from app.translate.schema import tool_schema
from tests.fake_upstream.json_schema import is_valid
from tests.fake_upstream.structured_outputs import unsupported
from tests.translate.chat_requests import ANSWER_SCHEMAS, SCHEMAS

Schema = dict[str, Any]
STRING, NUMBER = {"type": "string"}, {"type": "number"}
EMPTY: Schema = {"type": "object", "properties": {}}


def obj(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties}


REPAIRS: dict[str, tuple[Any, Schema]] = {
    "missing": (None, EMPTY),
    "empty": ({}, EMPTY),
    "true": (True, EMPTY),
    "type null": ({"type": None, "properties": None, "required": None}, EMPTY),
    "no type": ({"properties": {"a": STRING}}, obj(a=STRING)),
    "a list of types": ({"type": ["object", "null"], "properties": {"a": STRING}}, obj(a=STRING)),
    "names of other languages": (
        obj(a={"type": "str"}, b={"type": "Integer"}, c={"type": "any"}),
        obj(a=STRING, b={"type": "integer"}, c={}),
    ),
    "anyOf on top": (
        {"anyOf": [obj(a=STRING) | {"required": ["a"]}, obj(a=NUMBER, b={}) | {"required": ["a", "b"]}]},
        obj(a={"anyOf": [STRING, NUMBER]}, b={})
        | {
            "required": ["a"],
            "description": '(anyOf: [{"properties": {"a": {"type": "string"}}}, '
            '{"properties": {"a": {"type": "number"}, "b": true}, "required": ["b"]}])',
        },
    ),
    "too much to be told": (
        {"anyOf": [obj(a=STRING), obj(a=STRING, b={"enum": ["b" * 100] * 100})]},
        obj(a=STRING, b={"enum": ["b" * 100] * 100}) | {"description": '(anyOf: [{"properties": {"a": true}}, {}])'},
    ),
    "too many to be told": (
        {"anyOf": [obj(a={}, b={}) | {"required": [name]} for name in "ab" * 17]},
        obj(a={}, b={}),
    ),
    "a long demand": (
        {"anyOf": [obj(a={}) | {"required": ["a"], "title": "t" * 2_000}, obj(a={})]},
        obj(a={}),
    ),
    "oneOf with null": ({"oneOf": [obj(a=STRING), {"type": "null"}]}, obj(a=STRING)),
    "allOf on top": (
        {"allOf": [obj(a=STRING) | {"required": ["a"]}, {"properties": {"a": NUMBER, "b": {}}, "required": ["b"]}]},
        obj(a={"allOf": [STRING, NUMBER]}, b={}) | {"required": ["a", "b"]},
    ),
    "$ref on top": (
        {"$ref": "#/$defs/A", "$defs": {"A": obj(a=STRING)}, "description": "d"},
        obj(a=STRING) | {"description": "d"},
    ),
    "$ref to itself": ({"$ref": "#"}, EMPTY),
    "definitions": (
        {"definitions": {"A": STRING}, **obj(a={"$ref": "#/definitions/A"})},
        {"$defs": {"A": STRING}, **obj(a={"$ref": "#/$defs/A"})},
    ),
    "$ref to nowhere": (obj(a={"$ref": "#/nowhere", "description": "d"}), obj(a={"description": "d"})),
    "draft-4 bounds": (
        obj(a={"type": "number", "minimum": 1, "exclusiveMinimum": True, "maximum": 5, "exclusiveMaximum": False}),
        obj(a={"type": "number", "exclusiveMinimum": 1, "maximum": 5}),
    ),
    "draft-3 required": (obj(a={"type": "string", "required": True}), obj(a=STRING) | {"required": ["a"]}),
    "draft-4 tuples": (
        obj(a={"type": "array", "items": [STRING], "additionalItems": NUMBER}),
        obj(a={"type": "array", "prefixItems": [STRING], "items": NUMBER}),
    ),
    "nullable": (obj(a={"type": "string", "nullable": True}), obj(a={"type": ["string", "null"]})),
    "nullable enum": (
        obj(a={"type": "string", "enum": ["x"], "nullable": True}, b={"enum": [None, 1], "nullable": True}),
        obj(a={"type": ["string", "null"], "enum": ["x", None]}, b={"enum": [None, 1]}),
    ),
    "nullable reference": (
        {"$defs": {"A": STRING}, **obj(a={"$ref": "#/$defs/A", "nullable": True, "description": "d"})},
        {"$defs": {"A": STRING}, **obj(a={"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}], "description": "d"})},
    ),
    "nullable choice": (
        obj(a={"oneOf": [STRING, NUMBER], "nullable": True}, b={"allOf": [STRING], "nullable": True}),
        obj(a={"oneOf": [STRING, NUMBER, {"type": "null"}]}, b={"anyOf": [{"allOf": [STRING]}, {"type": "null"}]}),
    ),
    "not nullable": (obj(a={"type": "string", "nullable": False}), obj(a=STRING)),
    "ids and dialects": ({"$schema": "x", "$id": "y", **obj(a=STRING)}, obj(a=STRING)),
    "values of the wrong type": (
        obj(
            a={
                "type": "string",
                "minLength": -1,
                "maxLength": 2.0,
                "enum": "a",
                "title": 5,
                "multipleOf": 0,
                "anyOf": [],
            }
        ),
        obj(a={"type": "string", "maxLength": 2}),
    ),
    "required twice": (obj(a=STRING) | {"required": ["a", "a", 3]}, obj(a=STRING) | {"required": ["a"]}),
    "a pattern of another dialect": (
        obj(a={"type": "string", "pattern": "(?<y>\\d)", "description": "d"}),
        obj(a={"type": "string", "description": "d (pattern: (?<y>\\d))"}),
    ),
    "a property that is no schema": (obj(a="string"), obj(a={})),
    "what nobody knows": (obj(a={"x-own": 1, "default": None}), obj(a={"x-own": 1, "default": None})),
}


@pytest.mark.parametrize("case", REPAIRS)
def test_repairs(case: str) -> None:
    given, expected = REPAIRS[case]
    found = tool_schema(given).schema
    assert {key: value for key, value in found.items() if key != "$defs" or "$defs" in expected} == expected


@pytest.mark.parametrize("schema", [*SCHEMAS, *ANSWER_SCHEMAS], ids=str)
def test_every_repaired_schema_is_valid(schema: Any) -> None:
    found = tool_schema(schema).schema
    assert is_valid(found)
    assert found["type"] == "object"
    assert not {"oneOf", "anyOf", "allOf", "$ref"} & set(found)
    native = native_schema(found)
    assert native is None or (is_valid(native) and unsupported(native) is None)


def test_a_root_that_is_no_object_is_wrapped() -> None:
    found = tool_schema({"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": STRING}})
    assert found.wrapped
    items = {"type": "array", "items": {"$ref": "#/$defs/A"}}
    assert found.schema == {**obj(value=items), "required": ["value"], "$defs": {"A": STRING}}
    assert tool_schema({"type": "array", "items": {"$ref": "#"}}).schema["properties"]["value"]["items"] == {
        "$ref": "#/properties/value"
    }
    assert tool_schema({"items": STRING}).wrapped
    assert tool_schema({"anyOf": [STRING, NUMBER]}).schema["properties"]["value"]["anyOf"] == [STRING, NUMBER]


def test_property_keys_that_the_api_refuses_are_renamed_reversibly() -> None:
    found = tool_schema(obj(**{"a b": STRING, "é" * 70: {}}) | {"required": ["a b"]})
    assert set(found.renamed.values()) == {"a b", "é" * 70}
    assert set(found.renamed) == set(found.schema["properties"])
    assert found.renamed[found.schema["required"][0]] == "a b"
    marked = tool_schema(obj(**{"a b": {"type": "string", "required": True}})).schema  # as draft 3 has it
    assert marked["required"] == list(marked["properties"])


def test_references_survive_what_they_point_to_being_moved() -> None:
    found = tool_schema({"allOf": [obj(a=STRING), obj(b={"$ref": "#/allOf/0/properties/a"})]}).schema
    name = found["properties"]["b"]["$ref"].removeprefix("#/$defs/")
    assert found["$defs"][name] == STRING
    recursive = tool_schema(obj(a={"properties": {"b": {"$ref": "#/properties/a"}}})).schema
    assert is_valid(recursive)


NATIVE: dict[str, tuple[Schema, Schema | None]] = {
    "closed": (obj(a=STRING), obj(a=STRING) | {"additionalProperties": False}),
    "open on purpose": (obj(a=STRING) | {"additionalProperties": True}, None),
    "a map": (obj(a={"type": "object", "additionalProperties": STRING}), None),
    "recursive": ({**obj(a={"$ref": "#/$defs/A"}), "$defs": {"A": obj(a={"$ref": "#/$defs/A"})}}, None),
    "unsupported keywords": (
        obj(a={"type": "array", "items": STRING, "minItems": 2, "uniqueItems": True}),
        obj(a={"type": "array", "items": STRING, "description": "(minItems: 2; uniqueItems: true)"})
        | {"additionalProperties": False},
    ),
    "recursive in an alternative": (
        {**obj(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"anyOf": [STRING, obj(a={"$ref": "#/$defs/A"})]}}},
        None,
    ),
    "recursive in a property called like a keyword": (obj(enum={"$ref": "#"}, a=STRING), None),
    "recursive where nothing refers to it": (
        {**obj(a=STRING), "$defs": {"A": {"anyOf": [STRING, {"$ref": "#/$defs/A"}]}}},
        None,
    ),
    "an object without properties": (obj(a={"type": "object"}), None),
    "the fewest items that it takes": (
        obj(a={"type": "array", "items": STRING, "minItems": 1}),
        obj(a={"type": "array", "items": STRING, "minItems": 1}) | {"additionalProperties": False},
    ),
    "objects in arrays": (
        obj(a={"type": "array", "items": obj(b=STRING)}),
        obj(a={"type": "array", "items": obj(b=STRING) | {"additionalProperties": False}})
        | {"additionalProperties": False},
    ),
    "oneOf beside anyOf": (
        obj(a={"anyOf": [STRING], "oneOf": [{"type": "string"}]}),
        obj(a={"anyOf": [STRING], "description": '(oneOf: [{"type": "string"}])'}) | {"additionalProperties": False},
    ),
    "other alphabets": (
        obj(a={"type": "string", "pattern": "é"}),
        obj(a={"type": "string", "description": '(pattern: "é")'}) | {"additionalProperties": False},
    ),
    "oneOf": (obj(a={"oneOf": [STRING, NUMBER]}), obj(a={"anyOf": [STRING, NUMBER]}) | {"additionalProperties": False}),
    "formats": (
        obj(a={"type": "string", "format": "email"}, b={"type": "string", "format": "phone", "description": "d"}),
        obj(a={"type": "string", "format": "email"}, b={"type": "string", "description": 'd (format: "phone")'})
        | {"additionalProperties": False},
    ),
}


@pytest.mark.parametrize("case", NATIVE)
def test_the_subset_of_structured_outputs(case: str) -> None:
    given, expected = NATIVE[case]
    assert native_schema(given) == expected


def test_a_repair_is_remembered_and_never_mixed_up() -> None:
    assert tool_schema(obj(a=STRING)) is tool_schema(obj(a=STRING))
    assert tool_schema(obj(a={"default": 1})).schema != tool_schema(obj(a={"default": 1.5})).schema
    assert tool_schema(obj(a={"default": 2**70})).schema["properties"]["a"]["default"] == 2**70
