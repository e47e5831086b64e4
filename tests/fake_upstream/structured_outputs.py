"""The subset of JSON Schema that structured outputs and strict tools support, by Anthropic's own page."""

from typing import Any

from .json_schema import Schema, resolved, subschemas

UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"], "number"),
    **dict.fromkeys(["minLength", "maxLength"], "string"),
    **dict.fromkeys(["maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"], "array"),
    **dict.fromkeys(
        ["patternProperties", "minProperties", "maxProperties", "propertyNames", "dependentRequired"],
        "object",
    ),
}
UNSUPPORTED_COMBINATIONS = ("oneOf", "not", "if", "then", "else", "dependentSchemas")
FORMATS = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]


def _is_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in schema


def _unsupported_here(schema: dict[str, Any]) -> str | None:
    for keyword in schema:
        if keyword in UNSUPPORTED_COMBINATIONS:
            return f"Schema type '{keyword}' is not supported"
        if keyword in UNSUPPORTED:
            kind = schema.get("type", UNSUPPORTED[keyword])
            return f"For '{kind}' type, property '{keyword}' is not supported"
    if schema.get("minItems", 0) > 1:
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if schema.get("format", "uri") not in FORMATS:
        return f"For 'string' type, format '{schema['format']}' is not supported"
    if any(isinstance(value, list | dict) for value in schema.get("enum", ())):
        return "Enum value must be a string, number, boolean or null"
    if _is_object(schema) and schema.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    return None


def unsupported(schema: Schema, root: Schema = None, expanding: tuple[str, ...] = ()) -> str | None:
    """The first thing in a valid schema that structured outputs do not support, or None."""
    root = schema if root is None else root
    if not isinstance(schema, dict):
        return None
    reference = schema.get("$ref")
    if reference is not None and not reference.startswith("#"):
        return f"External schema reference '{reference}' is not supported"
    if reference in expanding or reference == "#":
        return "Recursive schemas are not supported"
    if reference is not None:
        return unsupported(resolved(reference, root), root, (*expanding, reference))
    found = _unsupported_here(schema)
    return found or next(filter(None, (unsupported(x, root, expanding) for x in subschemas(schema))), None)


def optional_parameters(schema: Schema) -> int:
    """How many properties, at any depth, are not required."""
    if not isinstance(schema, dict):
        return 0
    here = set(schema.get("properties", {})) - set(schema.get("required", []))
    return len(here) + sum(map(optional_parameters, subschemas(schema)))


def union_parameters(schema: Schema) -> int:
    """How many schemas, at any depth, allow several types."""
    if not isinstance(schema, dict):
        return 0
    here = "anyOf" in schema or isinstance(schema.get("type"), list)
    return here + sum(map(union_parameters, subschemas(schema)))
