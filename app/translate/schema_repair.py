"""Each keyword of a JSON Schema -> the value that draft 2020-12 gives it; what is broken is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from app.translate.identifiers import digest
from app.translate.json_reference import named_schemas, resolve, weight
from app.translate.schema_dialects import PAIRED, modernise

Schema = dict[str, Any]

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
"""`property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'` (observed message)."""
_COPIES = 3
"""How many times its own length the targets of a schema's references may add to it."""
_PATTERN_LENGTH, _PATTERNS_LENGTH = 1_000, 10_000
"""Characters of one pattern, and of all in a schema; others are only told. Compiling takes a second per million."""


class SchemaRepair:
    """One schema's repair. `renamed` collects property keys that had to change: sent -> the client's own;
    `patterns_length` counts the characters of compiled patterns, of which there are none without `reads_patterns`."""

    def __init__(self, root: Schema, reads_patterns: bool = True) -> None:
        self._root = root
        self._patterns_limit = _PATTERNS_LENGTH if reads_patterns else 0
        self.patterns_length = 0
        self.renamed: dict[str, str] = {}
        self._copies_left: int | None = None
        self._hoisted: dict[str, Schema] = {}
        self._hoisted_names: dict[int, str] = {}

    def repaired_root(self) -> Schema:
        """The whole schema; what references point to outside `$defs` is put there."""
        schema: Schema = self.schema(self._root)
        if self._hoisted:
            schema["$defs"] = schema.get("$defs", {}) | self._hoisted
        return schema

    def schema(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema if isinstance(schema, bool) else {}
        repaired: Schema = {}
        for keyword, value in schema.items():
            repair = _KEYWORDS.get(keyword)
            if repair is None or (value := repair(self, value)) is not None:
                repaired[keyword] = value
        if not PAIRED.isdisjoint(schema):
            modernise(schema, repaired, self._key)
        return repaired

    def schema_map(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {key: self.schema(child) for key, child in value.items()}

    def properties(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {self._key(key): self.schema(child) for key, child in value.items()}

    def pattern_properties(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {key: self.schema(child) for key, child in value.items() if self.pattern(key) is not None} or None

    def schema_list(self, value: Any) -> Any:
        return [self.schema(child) for child in value] if isinstance(value, list) and value else None

    def subschema(self, value: Any) -> Any:
        return self.schema(value) if isinstance(value, dict | bool) else None

    def items(self, value: Any) -> Any:
        return self.schema_list(value) if isinstance(value, list) else self.subschema(value)

    def type(self, value: Any) -> Any:
        if isinstance(value, list):
            return list(dict.fromkeys(filter(None, map(_type_name, value)))) or None
        return _type_name(value)

    def required(self, value: Any) -> Any:
        if not isinstance(value, list):
            return None
        return list(dict.fromkeys(self._key(key) for key in value if isinstance(key, str)))

    def dependent_required(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        lists = {self._key(key): self.required(names) for key, names in value.items()}
        return {key: names for key, names in lists.items() if names is not None}

    def dependencies(self, value: Any) -> Any:
        """Draft 7: the names, or the schema, that a property's presence demands."""
        if not isinstance(value, dict):
            return None
        read = {
            key: self.required(demand) if isinstance(demand, list) else self.subschema(demand)
            for key, demand in value.items()
        }
        return {self._key(key): demand for key, demand in read.items() if demand is not None}

    def reference(self, value: Any) -> Any:
        """A local reference; one that leads nowhere is left out. Only those to `$defs` and to the whole are sure to
        lead to the same place when the repair is done: other targets are copied there."""
        target = self._target(value) if isinstance(value, str) else None
        if target is None:
            return None
        if target is self._root:
            return "#"
        if _TOP_DEFINITION.fullmatch(value):
            return value.replace("#/definitions/", "#/$defs/", 1)
        name = self._hoisted_names.setdefault(id(target), f"ref_{digest(value)[:8]}")
        if name not in self._hoisted:
            if not self._affords(target):
                return None
            self._hoisted[name] = {}
            self._hoisted[name] = self.schema(target)
        return f"#/$defs/{name}"

    def _affords(self, target: Schema) -> bool:
        """Whether `target` may be written again: each level of a deep schema may be referred to and holds all below."""
        if self._copies_left is None:
            self._copies_left = _COPIES * weight(self._root)
        if self._copies_left > 0:
            self._copies_left -= weight(target)
        return self._copies_left > 0

    def _target(self, reference: str) -> Schema | None:
        target = resolve(self._root, reference)
        return self._named.get(reference) if target is None else target

    @cached_property
    def _named(self) -> dict[str, Schema]:
        return named_schemas(self._root)

    def pattern(self, value: Any) -> str | None:
        """A regular expression that the upstream's validator reads too; `\\p{…}` is known to some."""
        if not isinstance(value, str) or len(value) > min(_PATTERN_LENGTH, self._patterns_limit - self.patterns_length):
            return None
        self.patterns_length += len(value)
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError):
            return value if "\\p{" in value else None
        return value

    def _key(self, key: str) -> str:
        if _LEGAL_KEY.fullmatch(key):
            return key
        sent = f"{_ILLEGAL.sub('_', key)[:55]}_{digest(key)[:8]}"
        self.renamed[sent] = key
        return sent


_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.-]")
_TOP_DEFINITION = re.compile(r"#/(\$defs|definitions)/[^/~%]+")


def _type_name(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.lower()
    return name if name in _TYPES else _TYPE_ALIASES.get(name)


_Repair = Callable[[SchemaRepair, Any], Any]


def _kept_if(*types: type) -> _Repair:
    """A keyword whose value must have one of `types`; a boolean is no number."""

    def repair(_: SchemaRepair, value: Any) -> Any:
        wrong = isinstance(value, bool) and bool not in types
        return value if isinstance(value, types) and not wrong else None

    return repair


def _count(_: SchemaRepair, value: Any) -> int | None:
    """A whole number of at least 0; `1.0` is one too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _positive(_: SchemaRepair, value: Any) -> Any:
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    return value if right else None


def _dropped(_: SchemaRepair, value: Any) -> None:
    return None


_KEYWORDS: dict[str, _Repair] = {
    "type": SchemaRepair.type,
    "required": SchemaRepair.required,
    "properties": SchemaRepair.properties,
    "items": SchemaRepair.items,
    "$ref": SchemaRepair.reference,
    "dependentRequired": SchemaRepair.dependent_required,
    "dependencies": SchemaRepair.dependencies,
    "patternProperties": SchemaRepair.pattern_properties,
    "dependentSchemas": SchemaRepair.properties,
    **dict.fromkeys(("$defs", "definitions"), SchemaRepair.schema_map),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), SchemaRepair.schema_list),
    **dict.fromkeys(
        ("additionalProperties", "additionalItems", "unevaluatedItems", "unevaluatedProperties", "propertyNames"),
        SchemaRepair.subschema,
    ),
    **dict.fromkeys(("not", "if", "then", "else", "contains", "contentSchema"), SchemaRepair.subschema),
    **dict.fromkeys(("$schema", "$id", "id", "nullable", "$anchor", "$dynamicRef", "$dynamicAnchor"), _dropped),
    **dict.fromkeys(("$recursiveRef", "$recursiveAnchor", "$vocabulary"), _dropped),
    **dict.fromkeys(("title", "description", "format", "$comment"), _kept_if(str)),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), _kept_if(str)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _kept_if(int, float)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties"), _count),
    **dict.fromkeys(("maxProperties", "minContains", "maxContains"), _count),
    "multipleOf": _positive,
    "pattern": SchemaRepair.pattern,
    **dict.fromkeys(("enum", "examples"), _kept_if(list)),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _kept_if(bool)),
}
