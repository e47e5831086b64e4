"""One keyword at a time: what older drafts and other dialects wrote, and what is left out because nothing reads it."""

from typing import Any

import pytest

from app.translate.schema_repair import SchemaRepair

Schema = dict[str, Any]
STRING, NULL = {"type": "string"}, {"type": "null"}


def repaired(**schema: Any) -> Schema:
    return SchemaRepair(schema).repaired_root()


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("type", "Integer", "integer"),
        ("type", "double", "number"),
        ("type", ["str", "string", "none", "any"], ["string", "null"]),
        ("required", ["a", "a", 5], ["a"]),
        ("minLength", 2.0, 2),
        ("maxItems", 0, 0),
        ("multipleOf", 0.5, 0.5),
        ("minimum", -1.5, -1.5),
        ("uniqueItems", False, False),
        ("enum", [None, 1], [None, 1]),
        ("items", True, True),
        ("not", False, False),
        ("x-vendor", {"any": "thing"}, {"any": "thing"}),
        ("const", None, None),
    ],
)
def test_what_means_something_is_kept(keyword: str, value: Any, kept: Any) -> None:
    assert repaired(**{keyword: value}) == {keyword: kept}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("type", "any"),
        ("type", []),
        ("type", 5),
        ("required", "a"),
        ("required", True),
        ("properties", []),
        ("anyOf", []),
        ("anyOf", {}),
        ("items", "string"),
        ("minLength", -1),
        ("minLength", 1.5),
        ("minLength", True),
        ("minItems", "2"),
        ("multipleOf", 0),
        ("multipleOf", float("inf")),
        ("maximum", True),
        ("maximum", "10"),
        ("enum", "a"),
        ("description", None),
        ("uniqueItems", "yes"),
        ("$schema", "http://json-schema.org/draft-04/schema#"),
        ("$id", "https://x"),
        ("dependencies", ["a"]),
        ("$ref", "https://example.com/schema.json"),
        ("$ref", "#/$defs/missing"),
        ("$ref", 5),
    ],
)
def test_what_nothing_can_read_is_left_out(keyword: str, value: Any) -> None:
    assert repaired(**{keyword: value}) == {}


def test_a_child_that_is_no_schema_accepts_everything() -> None:
    assert repaired(properties={"a": "string", "b": None, "c": False}) == {"properties": {"a": {}, "b": {}, "c": False}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
        ({"exclusiveMinimum": True}, {}),
        ({"minimum": 1, "exclusiveMinimum": 0}, {"minimum": 1, "exclusiveMinimum": 0}),
        ({"items": [STRING], "additionalItems": False}, {"prefixItems": [STRING], "items": False}),
        ({"items": [STRING]}, {"prefixItems": [STRING]}),
        ({"definitions": {"a": STRING}, "$defs": {"b": NULL}}, {"$defs": {"a": STRING, "b": NULL}}),
        ({"definitions": {"a": STRING}, "$defs": {"a": NULL}}, {"$defs": {"a": NULL}}),
        (
            {"properties": {"a": {"required": True}, "b": {"required": False}}, "required": ["c"]},
            {"properties": {"a": {}, "b": {}}, "required": ["c", "a"]},
        ),
    ],
)
def test_forms_of_two_keywords(old: Schema, new: Schema) -> None:
    assert repaired(**old) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": "null"}, {"type": "null"}),
        ({"type": "string", "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"enum": ["a", None]}, {"enum": ["a", None]}),
        ({"anyOf": [STRING]}, {"anyOf": [STRING, NULL]}),
        ({"allOf": [STRING]}, {"anyOf": [{"allOf": [STRING]}, NULL]}),
        ({"allOf": [STRING], "anyOf": [STRING]}, {"allOf": [STRING], "anyOf": [STRING, NULL]}),
        ({"$ref": "#"}, {"anyOf": [{"$ref": "#"}, NULL]}),
        ({}, {}),
    ],
)
def test_nullable_adds_null_to_what_is_accepted(old: Schema, new: Schema) -> None:
    assert repaired(**old, nullable=True) == new
    assert "nullable" not in repaired(**old, nullable=False)


def test_a_key_the_api_refuses_is_renamed_wherever_it_stands() -> None:
    repair = SchemaRepair(
        {
            "properties": {"a b": {"required": True}, "ok-1.x": {}},
            "required": ["ok-1.x", "a b"],
            "dependentRequired": {"a b": ["ok-1.x"], "ok-1.x": ["a b"], "lost": "x"},
        }
    )
    schema = repair.repaired_root()
    ((sent, own),) = repair.renamed.items()
    assert own == "a b"
    assert sent.startswith("a_b_")
    assert schema == {
        "properties": {sent: {}, "ok-1.x": {}},
        "required": ["ok-1.x", sent],
        "dependentRequired": {sent: ["ok-1.x"], "ok-1.x": [sent]},
    }


def test_long_keys_that_begin_alike_stay_apart() -> None:
    repair = SchemaRepair({"properties": {"k" * 80 + "1": {}, "k" * 80 + "2": {}}})
    sent = list(repair.repaired_root()["properties"])
    assert len(set(sent)) == 2
    assert all(len(key) == 64 and key.startswith("k" * 55 + "_") for key in sent)


def test_only_references_to_definitions_stay_where_they_point() -> None:
    root = {
        "definitions": {"A": STRING, "a/b": NULL},
        "properties": {
            "top": {"$ref": "#/definitions/A"},
            "escaped": {"$ref": "#/definitions/a~1b"},
            "inside": {"$ref": "#/properties/list/items/0"},
            "again": {"$ref": "#/properties/list/items/0"},
            "list": {"items": [STRING]},
        },
    }
    schema = SchemaRepair(root).repaired_root()
    references = {name: child.get("$ref") for name, child in schema["properties"].items()}
    assert references["top"] == "#/$defs/A"
    assert references["inside"] == references["again"]
    for name, target in (("escaped", NULL), ("inside", STRING)):
        assert schema["$defs"][references[name].removeprefix("#/$defs/")] == target
    assert len(schema["$defs"]) == 4


def test_a_definition_that_contains_itself_is_copied_once() -> None:
    schema = repaired(properties={"tree": {"properties": {"child": {"$ref": "#/properties/tree"}}}})
    ((name, copy),) = schema["$defs"].items()
    assert copy == {"properties": {"child": {"$ref": f"#/$defs/{name}"}}}


@pytest.mark.parametrize("pattern", ["^[a-z]+$", r"\p{L}+"])
def test_a_pattern_that_can_be_read_is_kept(pattern: str) -> None:
    assert repaired(pattern=pattern) == {"pattern": pattern}


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 2000, "x" * 1001])
def test_another_pattern_is_told(pattern: str) -> None:
    assert repaired(pattern=pattern) == {"description": f"(pattern: {pattern})"}
    assert repaired(pattern=pattern, description="A.")["description"] == f"A. (pattern: {pattern})"


def test_a_reference_by_name_leads_to_what_is_called_so() -> None:
    node = {"$id": "Node", "type": "object", "properties": {"next": {"$ref": "Node"}, "word": {"$ref": "#word"}}}
    found = repaired(**node | {"$defs": {"w": {"$anchor": "word", "minLength": 1}}})
    assert found["properties"]["next"] == {"$ref": "#"}
    assert found["$defs"][found["properties"]["word"]["$ref"].removeprefix("#/$defs/")] == {"minLength": 1}
    inner = repaired(properties={"tree": node})
    there = inner["properties"]["tree"]["properties"]["next"]["$ref"].removeprefix("#/$defs/")
    assert inner["$defs"][there]["properties"]["next"] == {"$ref": f"#/$defs/{there}"}
    assert repaired(properties={"a": {"$ref": "Nobody"}}) == {"properties": {"a": {}}}


def test_dependencies_of_draft_7_keep_what_they_demand() -> None:
    source = {
        "dependencies": {"a": ["b"], "c d": {"required": ["e"]}, "f": 5, "g": True},
        "dependentRequired": {"h": ["i"]},
    }
    assert repaired(**source) == {
        "dependentRequired": {"h": ["i"], "a": ["b"]},
        "dependentSchemas": {"c_d_3526a043": {"required": ["e"]}, "g": True},
    }


def test_properties_are_told_whose_pattern_cannot_be_read() -> None:
    source = {"patternProperties": {"^a": STRING, "[": {"type": "str"}}, "additionalProperties": False}
    told = '(patternProperties: {"[": {"type": "str"}})'
    assert repaired(**source) == {"patternProperties": {"^a": STRING}, "description": told}
    assert repaired(patternProperties={"[": {}}, description="A.")["description"] == 'A. (patternProperties: {"[": {}})'


def test_patterns_are_read_up_to_a_limit_together_or_not_at_all() -> None:
    root = {"prefixItems": [{"pattern": "x" * 999} for _ in range(11)]}
    repair = SchemaRepair(root)
    assert ["pattern" in item for item in repair.repaired_root()["prefixItems"]] == [True] * 10 + [False]
    assert repair.patterns_length == 9990
    named = SchemaRepair({"patternProperties": {f"{'x' * 990}{n}": {} for n in range(11)}})
    assert len(named.repaired_root()["patternProperties"]) == 10
    unread = SchemaRepair(root, reads_patterns=False)
    assert not any("pattern" in item for item in unread.repaired_root()["prefixItems"])
    assert unread.patterns_length == 0


def test_the_clients_schema_is_left_as_it_was() -> None:
    root: Schema = {"type": "object", "properties": {"a b": {"type": "str", "nullable": True, "enum": ["x"]}}}
    before = repr(root)
    SchemaRepair(root).repaired_root()
    assert repr(root) == before
