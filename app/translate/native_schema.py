"""JSON Schemas within the subset that structured outputs and strict tools support, as Anthropic documents it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

Schema = dict[str, Any]

_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_UNSUPPORTED = frozenset(
    [
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern"),
        *(
            "maxItems",
            "uniqueItems",
            "prefixItems",
            "additionalItems",
            "unevaluatedItems",
            "contains",
            "minContains",
            "maxContains",
        ),
        *("patternProperties", "minProperties", "maxProperties", "propertyNames", "unevaluatedProperties"),
        *("dependentRequired", "dependentSchemas", "if", "then", "else", "not", "contentSchema"),
    ]
)
"""Keywords the API refuses: `For 'array' type, property 'uniqueItems' is not supported` (observed message)."""
_MAPS = ("properties", "$defs")
_LISTS = ("anyOf", "allOf")
_BY_NAME = frozenset(["properties", "patternProperties", "dependentSchemas"])
_NO_SCHEMAS = frozenset(["$defs", "enum", "const", "default", "examples"])


class _OpenObject(Exception):
    """An object takes properties that it does not name; the API demands `additionalProperties: false`."""


def native_schema(schema: Schema) -> Schema | None:
    """A repaired `schema` with unsupported keywords told in the description and every object closed.

    None where the subset cannot express it: recursion, or objects that are open on purpose.
    """
    if _recursive(schema):
        return None
    try:
        closed: Schema = _closed(schema)
    except _OpenObject:
        return None
    return closed


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    told = []
    for keyword, value in schema.items():
        keyword = "anyOf" if keyword == "oneOf" and "anyOf" not in schema else keyword
        # Behind a tuple, `items` says what may follow it: often nothing, which alone would demand an empty array.
        if _is_refused(keyword, value) or (keyword == "items" and "prefixItems" in schema):
            told.append(f"{keyword}: {json.dumps(value, ensure_ascii=False)}")
        elif keyword in _MAPS:
            result[keyword] = {name: _closed(child) for name, child in value.items()}
        elif keyword in _LISTS:
            result[keyword] = [_closed(child) for child in value]
        else:
            result[keyword] = _closed(value) if keyword == "items" else value
    if told:
        result["description"] = " ".join([*filter(None, [result.get("description")]), f"({'; '.join(told)})"])
    if _is_object(result):
        others = result.get("additionalProperties")
        if others not in (None, False) or (others is None and not result.get("properties")):
            raise _OpenObject
        result["additionalProperties"] = False
    return result


def _is_refused(keyword: str, value: Any) -> bool:
    return (
        keyword in _UNSUPPORTED
        or keyword == "oneOf"
        or (keyword == "format" and value not in _FORMATS)
        or (keyword == "minItems" and value > 1)
        or (keyword == "enum" and any(isinstance(item, dict | list) for item in value))
    )


def _is_object(schema: Schema) -> bool:
    return "object" in _types(schema) or "properties" in schema


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _recursive(root: Schema) -> bool:
    """Whether references come back to where they were; each definition is read once, however many lead to it."""
    definitions = root.get("$defs", {})
    followed = {"": list(_references(root))}
    # The API reads those too that nothing refers to.
    unread = [*followed[""], *(f"#/$defs/{name}" for name in definitions)]
    while unread:
        reference = unread.pop()
        if not reference.startswith("#/$defs/"):
            return True
        if reference not in followed:
            followed[reference] = list(_references(definitions.get(reference.removeprefix("#/$defs/"))))
            unread += followed[reference]
    try:
        TopologicalSorter(followed).prepare()
    except CycleError:
        return True
    return False


def _references(schema: Any) -> Iterator[str]:
    unread = [schema]
    while unread:
        part = unread.pop()
        if isinstance(part, list):
            unread += part
        elif isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            unread += [value for key, value in part.items() if key not in _NO_SCHEMAS and key not in _BY_NAME]
            # A property may be called like a keyword.
            unread += [child for key in _BY_NAME & part.keys() for child in part[key].values()]


@dataclass
class StrictBudget:
    """What one request's strict tools may still add up to, before the API refuses to compile their grammar.

    `Too many strict tools (21)`, `Schemas contains too many optional parameters (25)`, `… parameters with union types`
    (observed messages).
    """

    tools: int = 20
    optional_parameters: int = 24
    unions: int = 16

    def takes(self, schema: Schema) -> bool:
        """Whether `schema` still fits in; if so, it is paid for."""
        optional, unions = _cost(schema)
        if not self.tools or optional > self.optional_parameters or unions > self.unions:
            return False
        self.tools -= 1
        self.optional_parameters -= optional
        self.unions -= unions
        return True


def _cost(schema: Any) -> tuple[int, int]:
    """(optional parameters, union types) of a schema, at any depth."""
    if isinstance(schema, list):
        costs = [_cost(child) for child in schema]
    elif isinstance(schema, dict):
        own = len(set(schema.get("properties", ())) - set(schema.get("required", ())))
        costs = [(own, int("anyOf" in schema or isinstance(schema.get("type"), list)))]
        costs += [_cost(value) for keyword, value in schema.items() if keyword in {"items", *_LISTS}]
        costs += [_cost(child) for keyword in _MAPS for child in schema.get(keyword, {}).values()]
    else:
        return 0, 0
    return sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)
