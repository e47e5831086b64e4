"""A value for a JSON Schema: the smallest deterministic one, for forced tools and structured output."""

from typing import Any

from .json_schema import Schema, is_valid, resolved

TEXT_OF_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
PLAIN = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


DEEPEST = 8


def sample(schema: Schema) -> Any:
    """A value that the schema accepts, as far as types, enums, references and unions go; {} for no schema."""
    return _sample(schema, schema, DEEPEST) if is_valid(schema) else {}


def _sample(schema: Schema, root: Schema, depth: int) -> Any:
    """The same below the root; null below `depth` levels, where a required part contains itself."""
    if not isinstance(schema, dict) or not depth:
        return None
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if schema.get("$ref", "").startswith("#"):
        return _sample(resolved(schema["$ref"], root), root, depth - 1)
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return _sample(branches[0], root, depth - 1) if branches else _typed(schema, root, depth)


def _typed(schema: dict[str, Any], root: Schema, depth: int) -> Any:
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        members = schema.get("properties", {})
        return {name: _sample(members.get(name, {}), root, depth - 1) for name in schema.get("required", [])}
    if kind == "array":
        return [_sample(schema.get("items", {}), root, depth - 1)]
    return PLAIN.get(kind, TEXT_OF_FORMAT.get(schema.get("format", ""), "sample"))
