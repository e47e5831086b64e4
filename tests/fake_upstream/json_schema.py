"""Whether a schema is JSON Schema of draft 2020-12, as far as the API asks it of a tool's input."""

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = Any

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
INVALID = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 "
    "(https://json-schema.org/draft/2020-12). Learn more about tool use at https://docs.claude.com/en/docs/tool-use."
)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_unique_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return _are_unique_texts(names) and bool(names) and set(names) <= set(TYPES)


def _is_pattern(value: Any) -> bool:
    if not _is_text(value):
        return False
    try:
        re.compile(value)
    except re.error:
        return "\\p{" in value
    return True


ONE_SCHEMA = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
]
SCHEMA_LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"]
SCHEMA_MAPS = ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"]
VALUES: dict[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "required": _are_unique_texts,
    "enum": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
    "pattern": _is_pattern,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_are_unique_texts, value.values())),
    **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], _is_number),
    **dict.fromkeys(
        [
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ],
        _is_count,
    ),
    **dict.fromkeys(["uniqueItems", "deprecated", "readOnly", "writeOnly", "$recursiveAnchor"], _is_flag),
    **dict.fromkeys(
        [
            "title",
            "description",
            "format",
            "$comment",
            "$ref",
            "$id",
            "$schema",
            "$anchor",
            "$dynamicRef",
            "$dynamicAnchor",
            "contentEncoding",
            "contentMediaType",
        ],
        _is_text,
    ),
}


def subschemas(schema: Schema) -> Iterator[Schema]:
    """What must be schemas directly inside `schema`, whatever it really is."""
    for keyword in ONE_SCHEMA:
        if keyword in schema:
            yield schema[keyword]
    for keyword in SCHEMA_LISTS:
        yield from schema.get(keyword, ())
    for keyword in SCHEMA_MAPS:
        yield from schema.get(keyword, {}).values()


def _containers_are_right(schema: dict[str, Any]) -> bool:
    lists = (schema[keyword] for keyword in SCHEMA_LISTS if keyword in schema)
    maps = (schema[keyword] for keyword in SCHEMA_MAPS if keyword in schema)
    return (
        all(isinstance(x, list) and x for x in lists)
        and all(isinstance(x, dict) for x in maps)
        and all(map(_is_pattern, schema.get("patternProperties", ())))
    )


def is_valid(schema: Schema, root: Schema = None) -> bool:
    """Whether `schema` is a draft 2020-12 schema whose local references lead somewhere."""
    root = schema if root is None else root
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict) or not _containers_are_right(schema):
        return False
    values_right = all(VALUES[key](value) for key, value in schema.items() if key in VALUES)
    return values_right and _refers(schema, root) and all(is_valid(inner, root) for inner in subschemas(schema))


def resolved(reference: str, root: Schema) -> Schema:
    """What a local reference (`#/$defs/x`) points to. Raises LookupError where there is nothing."""
    found = root
    for step in reference.removeprefix("#").removeprefix("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if step:
            found = found[int(name)] if isinstance(found, list) and name.isdigit() else _member(found, name)
    return found


def _member(found: Schema, name: str) -> Schema:
    if not isinstance(found, dict):
        raise LookupError(name)
    return found[name]


def _refers(schema: dict[str, Any], root: Schema) -> bool:
    reference = schema.get("$ref", "#")
    if not reference.startswith("#/"):
        return True
    try:
        return isinstance(resolved(reference, root), dict | bool)
    except LookupError:
        return False
