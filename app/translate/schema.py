"""JSON Schemas as OpenAI clients send them -> JSON Schema 2020-12 with an object root, nothing of them emptied."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import orjson

from app.translate.json_reference import resolve
from app.translate.native_schema import native_schema
from app.translate.schema_repair import SchemaRepair

Schema = dict[str, Any]

EMPTY_OBJECT: Schema = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class ToolSchema:
    """A schema the API takes, and what it needs on the way back. Shared between requests: nothing in it may change."""

    schema: Schema
    wrapped: bool = False
    """The root was no object; the arguments come back inside `{"value": …}`."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Property keys that had to change: sent -> the client's own."""
    patterns_length: int = 0
    """Characters of the regular expressions that were compiled to see whether they are any."""

    @cached_property
    def native(self) -> Schema | None:
        """The schema within the subset of structured outputs, None if that cannot express it."""
        return native_schema(self.schema)


_NONE = ToolSchema(EMPTY_OBJECT)
_REMEMBERED_BYTES = 16 * 1024


def tool_schema(parameters: Any, reads_patterns: bool = True) -> ToolSchema:
    """The `input_schema` for a function's `parameters`, whatever their dialect; missing ones mean no arguments.

    A conversation offers the same tools in each of its requests, so the latest repairs are remembered. Without
    `reads_patterns`, regular expressions are told in descriptions, which costs nothing.
    """
    if not isinstance(parameters, dict):
        return _NONE
    try:
        source = orjson.dumps(parameters)
    except orjson.JSONEncodeError:
        return _repaired(parameters, reads_patterns)
    if len(source) > _REMEMBERED_BYTES:
        return _repaired(parameters, reads_patterns)
    return _remembered(source, reads_patterns)


@lru_cache(maxsize=256)
def _remembered(source: bytes, reads_patterns: bool) -> ToolSchema:
    return _repaired(orjson.loads(source), reads_patterns)


def _repaired(parameters: Schema, reads_patterns: bool) -> ToolSchema:
    repair = SchemaRepair(parameters, reads_patterns)
    schema = _Merge().root(repair.repaired_root())
    if schema.get("type", "object") != "object":
        definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
        wrapper = {"type": "object", "properties": {"value": schema}, "required": ["value"]} | definitions
        return ToolSchema(_rerooted(wrapper), True, repair.renamed, repair.patterns_length)
    return ToolSchema(EMPTY_OBJECT | schema | {"type": "object"}, False, repair.renamed, repair.patterns_length)


def _rerooted(schema: Any) -> Any:
    """The whole is not the root any more."""
    if isinstance(schema, list):
        return [_rerooted(child) for child in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: "#/properties/value" if k == "$ref" and v == "#" else _rerooted(v) for k, v in schema.items()}


_DEPTH = 16
"""References, and branches, on the way from the root; what stands deeper says nothing about the arguments."""
_REPEATED_CHARACTERS = 256 * 1024
"""How much may be written again because several branches refer to it: a few definitions that refer to each other twice
could make up more than any memory holds."""
_REPEAT = 256
"""Characters that a repetition counts at least, however short it is."""


class _Merge:
    """The merge of one schema's root with what it refers to; the cost stays in proportion to the schema's size."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._repeats_left = _REPEATED_CHARACTERS

    def root(self, schema: Schema, expanding: frozenset[str] = frozenset(), depth: int = 0) -> Schema:
        """Without a `$ref`, `anyOf`, `oneOf` or `allOf` on top: `input_schema does not support oneOf, allOf, or anyOf
        at the top level` (observed message). The object branches' properties are merged."""
        while isinstance(reference := schema.get("$ref"), str):
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            target = None if reference in expanding else resolve(schema, reference)
            known = target is not None and target is not schema and self._affords(target, len(expanding))
            expanding |= {reference}
            schema = (target if known and target else {}) | siblings
        for keyword in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(keyword)
            if isinstance(branches, list):
                schema = {key: value for key, value in schema.items() if key != keyword}
                merged = [self._branch(schema, branch, expanding, depth + 1) for branch in branches]
                schema = _with_branches(schema, merged, keyword)
        kind = schema.get("type")
        if kind is None and "properties" not in schema and ("items" in schema or "prefixItems" in schema):
            schema = schema | {"type": "array"}
        if isinstance(kind, list):
            schema = schema | {"type": "object" if "object" in kind else kind[0] if len(kind) == 1 else kind}
        return schema

    def _branch(self, root: Schema, branch: Any, expanding: frozenset[str], depth: int) -> Schema:
        if not isinstance(branch, dict) or depth > _DEPTH:
            return {}
        return self.root({"$defs": root.get("$defs", {})} | branch, expanding, depth)

    def _affords(self, target: Schema, references: int) -> bool:
        """The first reference to a target is free."""
        if references >= _DEPTH:
            return False
        if id(target) not in self._sizes:
            self._sizes[id(target)] = 0
            return True
        size = self._sizes[id(target)] or max(_REPEAT, len(_text(target)))
        self._sizes[id(target)] = size
        affordable = size <= self._repeats_left
        self._repeats_left -= size if affordable else 0
        return affordable


def _with_branches(schema: Schema, branches: list[Schema], keyword: str) -> Schema:
    objects = [b for b in branches if b.get("type") == "object" or "properties" in b or "required" in b]
    if not objects:
        kinds = dict.fromkeys(kind for branch in branches for kind in _types(branch))
        if not kinds:
            return _told(schema, branches, keyword)
        bare = [{key: value for key, value in branch.items() if key != "$defs"} for branch in branches]
        return schema | {"type": list(kinds), keyword: bare}
    described: dict[str, list[Any]] = {name: [child] for name, child in schema.get("properties", {}).items()}
    for branch in objects:
        for name, child in branch.get("properties", {}).items():
            described.setdefault(name, []).append(child)
    properties = {name: _joined(children, keyword) for name, children in described.items()}
    demands = [set(branch.get("required", ())) for branch in objects]
    demanded = set.union(*demands) if keyword == "allOf" else set.intersection(*demands)
    required = [*schema.get("required", ()), *(n for n in properties if n in demanded)]
    merged = schema | {"type": "object", "properties": properties}
    merged |= {"required": list(dict.fromkeys(required))} if required else {}
    return _told(merged, branches if keyword == "allOf" else objects, keyword)


_TOLD_BRANCHES, _TOLD_CHARACTERS = 32, 2_000
"""The most that is told of branches, for a description is read by the model with every request."""


def _told(merged: Schema, branches: list[Schema], keyword: str) -> Schema:
    """`merged`, with what it does not say of its branches in its description; what is valid stays the same."""
    if len(branches) > _TOLD_BRANCHES:
        return merged
    parts = [_untold(branch, merged, keyword) for branch in branches]
    if keyword == "allOf":
        parts = [part for part in parts if part]
    if not any(parts) or (keyword != "allOf" and len(parts) == 1):
        return merged
    if not _is_short(parts):
        return merged
    text = f"({keyword}: {json.dumps(parts, ensure_ascii=False)})"
    return merged | {"description": " ".join([*filter(None, [merged.get("description")]), text])}


def _is_short(value: Any) -> bool:
    """Whether `value` may be told; a large one is not read to its end, for it may stand in many branches."""
    left, unread = _TOLD_CHARACTERS, [value]
    while unread and left > 0:
        part = unread.pop()
        if isinstance(part, dict):
            unread += [item for pair in islice(part.items(), left) for item in pair]
        elif isinstance(part, list):
            unread += part[:left]
        left -= len(part) if isinstance(part, str) else 1
    return left > 0


def _untold(branch: Schema, merged: Schema, keyword: str) -> Schema:
    """What `branch` says beyond the merged schema; a property that is described there in the same words is `true`."""
    rest = {name: value for name, value in branch.items() if name not in _MERGED}
    if keyword == "allOf":
        return rest
    demanded, known = merged.get("required", ()), merged.get("properties", {})
    required = [name for name in branch.get("required", ()) if name not in demanded]
    own = {name: child == known[name] or child for name, child in branch.get("properties", {}).items()}
    if all(child is True for child in own.values()) and (len(own) == len(known) or own.keys() <= {*required}):
        own = {}
    return rest | ({"properties": own} if own else {}) | ({"required": required} if required else {})


_MERGED = frozenset(["type", "properties", "required", "$defs"])


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _joined(children: list[Any], keyword: str) -> Any:
    """A property that branches describe differently; what one of several alternatives says exactly, any may say."""
    first, *others = children
    others = [other for other in others if other is not first and other != first]
    if not others:
        return first
    keyword = "allOf" if keyword == "allOf" else "anyOf"
    choices = first[keyword] if isinstance(first, dict) and set(first) == {keyword} else [first]
    # By their text: thousands of alternatives are too many to compare each with each.
    different = {_text(choice): choice for choice in others}
    for choice in choices:
        different.pop(_text(choice), None)
    return {keyword: [*choices, *different.values()]}


def _text(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)
