"""Instances of schemas, checked by pydantic where the schema is one of its own."""

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, Field

from app.sandbox.schema_instance import instance
from app.sandbox.text_values import TextValues, subjects


def instance_for(schema: Any, text: str = "") -> Any:
    return instance(schema, TextValues(text, subjects(text)))


class Unit(Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Place(BaseModel):
    city: Annotated[str, Field(min_length=2, max_length=40)]
    country: str | None
    position: tuple[float, float]


class Trip(BaseModel):
    kind: Literal["trip"]
    start: Place
    stops: Annotated[list[Place], Field(min_length=2)]
    unit: Unit
    day: date
    at: AwareDatetime
    key: UUID
    nights: Annotated[int, Field(ge=3, le=10)]
    budget: Annotated[float, Field(gt=100)]
    return_home: bool
    tags: list[str]
    extra: dict[str, Any]
    choice: int | str


class Tree(BaseModel):
    name: str
    left: Optional["Tree"]
    children: list["Tree"]


@pytest.mark.parametrize("model", [Place, Trip, Tree])
def test_instance_of_a_pydantic_schema_validates(model: type[BaseModel]) -> None:
    instance_of_model = instance_for(model.model_json_schema(), "Plan a trip to Paris and Rome for 5 nights")
    model.model_validate(instance_of_model)


def test_values_come_from_the_text() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer"},
            "limit": {"type": "number"},
            "query": {"type": "string"},
        },
    }
    text = "3 days in Paris, in fahrenheit, below 21.5"
    expected = {"city": "Paris", "unit": "fahrenheit", "days": 3, "limit": 21.5, "query": text}
    assert instance_for(schema, text) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "sandbox value"),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": {"type": "null"}, "b": {}}, "required": ["a"]}, {"a": None}),
        ({"type": "object", "properties": {"a": {"type": "null"}}, "required": []}, {}),
        ({"type": ["null", "boolean"]}, True),
        ({"const": 7}, 7),
        ({"enum": [None, "x"]}, None),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"oneOf": [{"type": "array", "items": {"type": "boolean"}}]}, [True]),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"type": "boolean"}, {"const": 2}], "items": False}, [True, 2]),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "minLength": 15}, "sandbox value.."),
        ({"type": "string", "maxLength": 3}, "san"),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"$ref": "#/$defs/x~1y", "$defs": {"x/y": {"const": "found"}}}, "found"),
        ({"$ref": "#/nowhere"}, "sandbox value"),
        ({"$ref": "#"}, "sandbox value"),
    ],
)
def test_instance_keeps_to_the_schema(schema: Any, expected: Any) -> None:
    assert instance_for(schema) == expected


def test_list_of_strings_takes_every_subject() -> None:
    schema = {"type": "object", "properties": {"cities": {"type": "array", "items": {"type": "string"}}}}
    assert instance_for(schema, "for Paris, Rome and Oslo") == {"cities": ["Paris", "Rome", "Oslo"]}


def test_recursive_schema_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefgh"}}
    assert instance_for(node)["a"] is not None
