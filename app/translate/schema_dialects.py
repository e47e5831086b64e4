"""Forms of JSON Schema that older drafts and OpenAPI write in two keywords together -> draft 2020-12."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

PAIRED = {
    *("exclusiveMinimum", "exclusiveMaximum", "nullable", "items", "definitions"),
    *("pattern", "properties", "patternProperties", "dependencies"),
}
"""Keywords whose repair needs another one."""


def modernise(original: Schema, repaired: Schema, key: Callable[[str], str]) -> None:
    """Draft-4 and OpenAPI forms that take two keywords together, or become another; `key` gives a key as it is sent."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if original.get(exclusive) is True and bound in repaired:
            repaired[exclusive] = repaired.pop(bound)
    if original.get("nullable") is True:
        _accept_null(repaired)
    if isinstance(repaired.get("items"), list):
        repaired["prefixItems"] = repaired.pop("items")
        if "additionalItems" in repaired:
            repaired["items"] = repaired.pop("additionalItems")
    if "definitions" in repaired:
        repaired["$defs"] = repaired.pop("definitions") | repaired.get("$defs", {})
    _part_dependencies(repaired)
    pattern = original.get("pattern")
    if isinstance(pattern, str) and "pattern" not in repaired:
        _tell(repaired, f"(pattern: {pattern})")
    _tell_properties(original.get("patternProperties"), repaired)
    if marked := _marked_required(original.get("properties")):
        repaired["required"] = list(dict.fromkeys([*repaired.get("required", ()), *map(key, marked)]))


def _part_dependencies(schema: Schema) -> None:
    """Draft 7 has one keyword for what draft 2019-09 made two of."""
    for name, demand in schema.pop("dependencies", {}).items():
        keyword = "dependentRequired" if isinstance(demand, list) else "dependentSchemas"
        schema.setdefault(keyword, {}).setdefault(name, demand)


def _tell(schema: Schema, text: str) -> None:
    schema["description"] = " ".join([*filter(None, [schema.get("description")]), text])


def _tell_properties(described: Any, schema: Schema) -> None:
    """Properties by patterns that cannot be read, which would refuse the whole schema; they stay allowed."""
    if not isinstance(described, dict):
        return
    unread = {key: child for key, child in described.items() if key not in schema.get("patternProperties", ())}
    if unread:
        _tell(schema, f"(patternProperties: {json.dumps(unread, ensure_ascii=False)})")
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]


def _marked_required(properties: Any) -> list[str]:
    """Draft 3 marks a property itself as required."""
    if not isinstance(properties, dict):
        return []
    return [key for key, child in properties.items() if isinstance(child, dict) and child.get("required") is True]


def _accept_null(schema: Schema) -> None:
    """OpenAPI 3.0's `nullable`: null beside what `schema` accepts; an `enum` takes it only if it lists it."""
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            schema[keyword] = [*schema[keyword], {"type": "null"}]
    for keyword in ("$ref", "allOf"):
        if keyword in schema and not {"anyOf", "oneOf"} & schema.keys():
            schema["anyOf"] = [{keyword: schema.pop(keyword)}, {"type": "null"}]
