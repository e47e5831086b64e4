"""JSON Schemas as OpenAI clients send them -> JSON Schema 2020-12 with an object root, nothing of them emptied."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.translate.identifiers import digest

Schema = dict[str, Any]

EMPTY_OBJECT: Schema = {"type": "object", "properties": {}}
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_TYPE_ALIASES = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "str": "string",
    "text": "string",
    "date": "string",
    "bool": "boolean",
    "dict": "object",
    "map": "object",
    "list": "array",
    "tuple": "array",
    "none": "null",
}
_LEGAL_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
"""Property keys that the API takes: `property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'` (observed message)."""


@dataclass(frozen=True)
class ToolSchema:
    """A schema the API takes, and what it needs on the way back."""

    schema: Schema
    wrapped: bool = False
    """The root was no object; the arguments come back inside `{"value": …}`."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Property keys that had to change: sent -> the client's own."""


def tool_schema(parameters: Any) -> ToolSchema:
    """The `input_schema` for a function's `parameters`, whatever their dialect; missing ones mean no arguments."""
    if not isinstance(parameters, dict):
        return ToolSchema(dict(EMPTY_OBJECT))
    renamed: dict[str, str] = {}
    schema = _Repair(parameters, renamed).schema(parameters)
    schema = _merged_root(schema)
    if schema.get("type", "object") != "object":
        definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
        wrapper = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
        return ToolSchema(wrapper | definitions, wrapped=True, renamed=renamed)
    return ToolSchema(EMPTY_OBJECT | schema | {"type": "object"}, renamed=renamed)


class _Repair:
    """One schema's repair: keywords of older drafts and of other dialects are brought to 2020-12, broken ones left out."""

    def __init__(self, root: Schema, renamed: dict[str, str]) -> None:
        self._root = root
        self._renamed = renamed

    def schema(self, schema: Any) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            return {}
        repaired: Schema = {}
        for keyword, value in schema.items():
            repair = _KEYWORDS.get(keyword)
            if repair is None:
                repaired[keyword] = value
            elif (value := repair(self, value)) is not None:
                repaired["$defs" if keyword == "definitions" else keyword] = value
        _modernise(schema, repaired)
        return repaired

    def schema_map(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {key: self.schema(child) for key, child in value.items()}

    def properties(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {self._key(key): self.schema(child) for key, child in value.items()}

    def schema_list(self, value: Any) -> Any:
        return [self.schema(child) for child in value] if isinstance(value, list) and value else None

    def subschema(self, value: Any) -> Any:
        return self.schema(value) if isinstance(value, dict | bool) else None

    def items(self, value: Any) -> Any:
        return self.schema_list(value) if isinstance(value, list) else self.subschema(value)

    def type(self, value: Any) -> Any:
        if isinstance(value, list):
            known = dict.fromkeys(filter(None, map(_type_name, value)))
            return list(known) or None
        return _type_name(value)

    def required(self, value: Any) -> Any:
        if not isinstance(value, list):
            return None
        return list(dict.fromkeys(self._key(key) for key in value if isinstance(key, str)))

    def reference(self, value: Any) -> Any:
        if not isinstance(value, str) or _resolve(self._root, value) is None:
            return None
        return value.replace("#/definitions/", "#/$defs/", 1)

    def _key(self, key: str) -> str:
        if _LEGAL_KEY.fullmatch(key):
            return key
        sent = f"{re.sub(r'[^a-zA-Z0-9_.-]', '_', key)[:55]}_{digest(key)[:8]}"
        self._renamed[sent] = key
        return sent


def _type_name(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.lower()
    return name if name in _TYPES else _TYPE_ALIASES.get(name)


def _modernise(original: Schema, repaired: Schema) -> None:
    """Draft-4 and OpenAPI forms that take two keywords together."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if original.get(exclusive) is True and bound in repaired:
            repaired[exclusive] = repaired.pop(bound)
    if original.get("nullable") is True and isinstance(repaired.get("type"), str):
        repaired["type"] = [repaired["type"], "null"]
    if isinstance(original.get("items"), list) and "items" in repaired:
        repaired["prefixItems"] = repaired.pop("items")
    properties = original.get("properties")
    if isinstance(properties, dict):
        # Draft 3 marks a property itself as required.
        marked = [k for k, v in properties.items() if isinstance(v, dict) and v.get("required") is True]
        if marked:
            repaired["required"] = list(dict.fromkeys([*repaired.get("required", ()), *marked]))


def _merged_root(schema: Schema) -> Schema:
    """Without a `$ref`, `anyOf`, `oneOf` or `allOf` on top: `input_schema does not support oneOf, allOf, or anyOf at
    the top level` (observed message). The object branches' properties are merged."""
    seen = set()
    while isinstance(reference := schema.get("$ref"), str) and reference not in seen:
        seen.add(reference)
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        schema = (_resolve(schema, reference) or {}) | siblings
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list):
            schema = {key: value for key, value in schema.items() if key != keyword}
            schema = _with_branches(schema, [_branch(schema, b) for b in branches], keyword == "allOf")
    kind = schema.get("type")
    if isinstance(kind, list):
        schema = schema | {"type": "object" if "object" in kind else kind[0] if len(kind) == 1 else kind}
    return schema


def _branch(root: Schema, branch: Any) -> Schema:
    if not isinstance(branch, dict):
        return {}
    return _merged_root({"$defs": root.get("$defs", {})} | branch)


def _with_branches(schema: Schema, branches: list[Schema], all_hold: bool) -> Schema:
    objects = [b for b in branches if b.get("type") == "object" or "properties" in b or "required" in b]
    if not objects:
        kinds = dict.fromkeys(kind for branch in branches for kind in _types(branch))
        if not kinds:
            return schema
        bare = [{key: value for key, value in branch.items() if key != "$defs"} for branch in branches]
        return schema | {"type": list(kinds), "allOf" if all_hold else "anyOf": bare}
    properties: Schema = dict(schema.get("properties", {}))
    for branch in objects:
        for name, child in branch.get("properties", {}).items():
            known = properties.get(name)
            properties[name] = child if known is None or known == child else _either(known, child)
    demands = [set(branch.get("required", ())) for branch in objects]
    demanded = set.union(*demands) if all_hold else set.intersection(*demands)
    required = [*schema.get("required", ()), *(n for n in properties if n in demanded)]
    merged = schema | {"type": "object", "properties": properties}
    return merged | ({"required": list(dict.fromkeys(required))} if required else {})


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _either(one: Any, other: Any) -> Schema:
    choices = one["anyOf"] if isinstance(one, dict) and set(one) == {"anyOf"} else [one]
    return {"anyOf": choices if other in choices else [*choices, other]}


def _resolve(root: Schema, reference: str) -> Schema | None:
    """The schema a local reference such as `#/$defs/Address` points to, or None."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    value: Any = root
    for step in reference[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value if isinstance(value, dict) else None


def _kept_if(*types: type) -> Callable[[_Repair, Any], Any]:
    """A keyword whose value must have one of `types`; a boolean is no number."""

    def repair(_: _Repair, value: Any) -> Any:
        wrong = isinstance(value, bool) and bool not in types
        return value if isinstance(value, types) and not wrong else None

    return repair


def _dropped(_: _Repair, value: Any) -> None:
    return None


_KEYWORDS: dict[str, Callable[[_Repair, Any], Any]] = {
    "type": _Repair.type,
    "required": _Repair.required,
    "properties": _Repair.properties,
    "items": _Repair.items,
    "$ref": _Repair.reference,
    **dict.fromkeys(("$defs", "definitions", "patternProperties", "dependentSchemas"), _Repair.schema_map),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _Repair.schema_list),
    **dict.fromkeys(
        ("additionalProperties", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames")
        + ("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
        _Repair.subschema,
    ),
    **dict.fromkeys(("$schema", "$id", "id", "nullable", "$anchor", "$dynamicRef", "$dynamicAnchor"), _dropped),
    **dict.fromkeys(("title", "description", "format", "pattern", "$comment"), _kept_if(str)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _kept_if(int, float)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties"), _kept_if(int)),
    **dict.fromkeys(("maxProperties", "minContains", "maxContains"), _kept_if(int)),
    "multipleOf": _kept_if(int, float),
    **dict.fromkeys(("enum", "examples"), _kept_if(list)),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _kept_if(bool)),
    **dict.fromkeys(("dependencies", "dependentRequired"), _kept_if(dict)),
}
