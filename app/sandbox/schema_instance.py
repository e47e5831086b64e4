"""A plausible instance of a JSON Schema (draft 2020-12), filled from a user's text where that is sensible."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.sandbox.api_error import ApiError
from app.sandbox.text_values import TextValues

_MAX_DEPTH = 8
_MAX_NODES = 1_000
_MAX_ITEMS = 16
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "sandbox@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_WHOLE_TEXT_NAMES = ("query", "question", "prompt", "text", "message", "input", "content")
_WHOLE_TEXT_LENGTH = 200


def instance(schema: Any, values: TextValues) -> Any:
    """Build one instance of `schema`.

    Local `$ref`s, `anyOf`/`oneOf` (first branch that is not null) and `allOf` are followed; `pattern`,
    `multipleOf` and conditional keywords are not, and a recursive schema ends after a few levels.
    """
    return _SchemaWriter(schema, values).instance(schema, "value", 0)


@contextmanager
def refusing_invalid(path: str) -> Iterator[None]:
    """Raise ApiError 400 in the API's wording when the schema at `path` turns out not to be one."""
    try:
        yield
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ApiError(400, f"{path}: JSON schema is invalid. It must match JSON Schema draft 2020-12") from error


def resolved(schema: Any, root: Any) -> dict[str, Any]:
    """`schema` with references followed and the branches of a union or an intersection merged in."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(schema, dict):
            return {}
        if isinstance(schema.get("$ref"), str):
            rest = {key: item for key, item in schema.items() if key != "$ref"}
            schema = {**_pointed_at(root, schema["$ref"]), **rest}
        elif branches := schema.get("anyOf") or schema.get("oneOf"):
            rest = {key: item for key, item in schema.items() if key not in ("anyOf", "oneOf")}
            schema = {**rest, **_first_not_null(branches, root)}
        elif parts := schema.get("allOf"):
            rest = {key: item for key, item in schema.items() if key != "allOf"}
            schema = _intersection([rest, *(resolved(part, root) for part in parts)])
        else:
            return schema
    return {}


def _pointed_at(root: Any, reference: str) -> dict[str, Any]:
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if step and isinstance(found, dict):
            found = found.get(step)
    return found if isinstance(found, dict) else {}


def _first_not_null(branches: list[Any], root: Any) -> dict[str, Any]:
    candidates = [branch for branch in branches if isinstance(branch, dict)]
    return next((branch for branch in candidates if branch.get("type") != "null"), {"type": "null"})


def _intersection(parts: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", []), *part.get("required", [])]
        merged = {**merged, **part}
        if properties:
            merged |= {"properties": properties, "required": list(dict.fromkeys(required))}
    return merged


def kind(schema: dict[str, Any]) -> str:
    """The JSON type that an instance of a resolved schema takes."""
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((name for name in declared if name != "null"), "null")
    if isinstance(declared, str):
        return declared
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


class _SchemaWriter:
    def __init__(self, root: Any, values: TextValues) -> None:
        self._root = root
        self._values = values
        self._nodes_left = _MAX_NODES

    def instance(self, schema: Any, name: str, depth: int) -> Any:
        self._nodes_left -= 1
        if _allows_null(schema) and self._is_deep(depth):
            return None
        schema = resolved(schema, self._root)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._values.choice(schema["enum"])
        match kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return True
            case "null":
                return None
        return self._string(schema, name)

    def _is_deep(self, depth: int) -> bool:
        return depth >= _MAX_DEPTH or self._nodes_left <= 0

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict) or self._is_deep(depth):
            return {}
        # A schema without `required` is mostly written by hand and means its properties to be given.
        wanted = schema["required"] if isinstance(schema.get("required"), list) else properties
        return {name: self.instance(properties.get(name, {}), name, depth + 1) for name in wanted}

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        if self._is_deep(depth + 1) and not schema.get("minItems"):
            return []
        first_items = schema.get("prefixItems", [])
        item_schema = schema.get("items", {})
        wanted = 1
        if takes_subject(item_schema, self._root):
            wanted = max(wanted, self._values.remaining_subjects())
        wanted = min(max(wanted, schema.get("minItems", 0)), schema.get("maxItems", _MAX_ITEMS), _MAX_ITEMS)
        wanted = max(wanted, len(first_items)) if item_schema is not False else len(first_items)
        item_schemas = [*first_items, *[item_schema] * (wanted - len(first_items))]
        return [self.instance(item, name, depth + 1) for item in item_schemas]

    def _number(self, schema: dict[str, Any]) -> int | float:
        said = self._values.next_number()
        value: int | float = 1 if said is None else said
        low, high = schema.get("minimum"), schema.get("maximum")
        if "exclusiveMinimum" in schema:
            low = schema["exclusiveMinimum"] + 1
        if low is not None:
            value = max(value, low)
        if high is not None:
            value = min(value, high)
        return int(value) if value == int(value) else value

    def _string(self, schema: dict[str, Any], name: str) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = self._values.next_subject()
        if text is None and name in _WHOLE_TEXT_NAMES:
            text = self._values.text[:_WHOLE_TEXT_LENGTH]
        text = text or f"sandbox {name}"
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]


def takes_subject(schema: Any, root: Any) -> bool:
    """Whether an instance of `schema` is a free string, the kind of value a name in the text can be."""
    schema = resolved(schema, root)
    return kind(schema) == "string" and not {"enum", "const", "format"} & schema.keys()


def _allows_null(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    branches = schema.get("anyOf") or schema.get("oneOf") or []
    declared = schema.get("type")
    return {"type": "null"} in branches or (isinstance(declared, list) and "null" in declared)
