"""What structured outputs can express, what they are told instead, and what a request's strict tools may cost."""

from typing import Any

import pytest

from app.translate.native_schema import StrictBudget, native_schema

Schema = dict[str, Any]
STRING = {"type": "string"}
CLOSED: Schema = {"type": "object", "properties": {"a": STRING}, "additionalProperties": False}


def native(schema: Schema) -> Any:
    """What becomes of a property."""
    whole = native_schema(CLOSED | {"properties": {"a": schema}})
    return whole and whole["properties"]["a"]


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"minimum": 0, "maximum": 9}, "(minimum: 0; maximum: 9)"),
        ({"format": "phone"}, '(format: "phone")'),
        ({"minItems": 2}, "(minItems: 2)"),
        ({"enum": [{"ü": 1}]}, '(enum: [{"ü": 1}])'),
        ({"not": {"const": 1}}, '(not: {"const": 1})'),
        ({"prefixItems": [STRING], "items": False}, '(prefixItems: [{"type": "string"}]; items: false)'),
        ({"anyOf": [STRING], "oneOf": [STRING]}, '(oneOf: [{"type": "string"}])'),
    ],
)
def test_what_the_api_refuses_is_told_to_the_model(keywords: Schema, told: str) -> None:
    kept = {"anyOf": [STRING]} if "anyOf" in keywords else {}
    assert native(keywords) == kept | {"description": told}
    assert native({"description": "A number."} | keywords) == kept | {"description": f"A number. {told}"}


@pytest.mark.parametrize(
    "schema", [{"format": "date"}, {"minItems": 1}, {"enum": ["a", None]}, {"const": {"maximum": 1}}, {"default": []}]
)
def test_what_it_takes_stays(schema: Schema) -> None:
    assert native(schema) == schema


def test_one_of_is_sent_as_any_of() -> None:
    assert native({"oneOf": [STRING, {"minimum": 1}]}) == {"anyOf": [STRING, {"description": "(minimum: 1)"}]}


def test_every_object_is_closed_wherever_it_stands() -> None:
    child: Schema = {"properties": {"a": STRING}}
    closed = child | {"additionalProperties": False}
    schema = {
        "$defs": {"d": child},
        "properties": {"list": {"items": child}, "either": {"anyOf": [child]}, "all": {"allOf": [child]}},
    }
    assert native_schema(schema) == {
        "$defs": {"d": closed},
        "properties": {"list": {"items": closed}, "either": {"anyOf": [closed]}, "all": {"allOf": [closed]}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["object", "null"]},
        {"type": "object", "properties": {}},
        {"properties": {"a": STRING}, "additionalProperties": STRING},
        {"properties": {"a": STRING}, "additionalProperties": True},
    ],
)
def test_an_object_that_is_open_on_purpose_cannot_be_expressed(schema: Schema) -> None:
    assert native(schema) is None
    assert native({"type": "array", "items": schema}) is None


def test_an_object_that_is_closed_already_may_be_empty() -> None:
    assert native({"type": "object", "additionalProperties": False}) == {
        "type": "object",
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("definitions", "expressible"),
    [
        ({"a": STRING}, True),
        ({"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}, "b": STRING}, True),
        ({"a": {"enum": [{"$ref": "#/$defs/a"}]}}, True),
        ({"a": {"items": {"$ref": "#/$defs/a"}}}, False),
        ({"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, False),
        ({"a": {"items": {"$ref": "#"}}}, False),
    ],
)
def test_references_that_come_back_cannot_be_expressed(definitions: Schema, expressible: bool) -> None:
    schema = CLOSED | {"$defs": definitions, "properties": {"a": {"$ref": "#/$defs/a"}}}
    assert (native_schema(schema) is not None) is expressible


def test_many_ways_to_one_definition_are_read_once() -> None:
    steps: Schema = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)} | {"d60": STRING}
    assert native_schema(CLOSED | {"$defs": steps, "properties": {"a": {"$ref": "#/$defs/d0"}}}) is not None


def test_the_schema_is_left_as_it_was() -> None:
    schema: Schema = {"properties": {"a": {"minimum": 1}}}
    native_schema(schema)
    assert schema == {"properties": {"a": {"minimum": 1}}}


def optional(count: int) -> Schema:
    return {"properties": {f"p{n}": STRING for n in range(count)}}


def unions(count: int) -> Schema:
    return {"properties": {"u": {"items": {"anyOf": [{"type": ["string", "null"]}] * (count - 1)}}}, "required": ["u"]}


@pytest.mark.parametrize(
    ("most", "more"), [([{}] * 20, {}), ([optional(20), optional(4)], optional(1)), ([unions(16)], unions(2))]
)
def test_strict_tools_are_taken_until_one_budget_is_spent(most: list[Schema], more: Schema) -> None:
    budget = StrictBudget()
    assert all(budget.takes(schema) for schema in most)
    assert not budget.takes(more)


def test_what_does_not_fit_in_costs_nothing() -> None:
    budget = StrictBudget()
    assert not budget.takes(optional(25))
    assert not budget.takes(unions(17))
    assert budget == StrictBudget()


def test_optional_parameters_count_at_any_depth_and_required_ones_do_not() -> None:
    nested = {
        "$defs": {"d": optional(1)},
        "properties": {"a": {"allOf": [optional(2)]}, "b": STRING},
        "required": ["a"],
    }
    budget = StrictBudget()
    assert budget.takes(nested)
    assert budget.optional_parameters == 24 - 4
