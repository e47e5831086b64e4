"""References inside a JSON Schema: where `#/$defs/Address` leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]


def resolve(root: Schema, reference: str) -> Schema | None:
    """The schema a local reference such as `#/$defs/Address` points to, or None."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    value: Any = root
    for step in unquote(reference[2:]).split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value if isinstance(value, dict) else None


def named_schemas(root: Schema) -> dict[str, Schema]:
    """The schemas in `root` by how a reference may call them instead of telling their place: `$id`, or # and `$anchor`.

    TypeBox writes a recursive type this way.
    """
    named: dict[str, Schema] = {}
    for schema in _objects(root):
        for keyword, sign in (("$id", ""), ("id", ""), ("$anchor", "#")):
            if isinstance(name := schema.get(keyword), str):
                named.setdefault(sign + name, schema)
    return named


def weight(value: Any) -> int:
    """How much `value` is when written, roughly: its characters, and one for each value."""
    total, unread = 0, [value]
    while unread:
        part = unread.pop()
        total += 1
        if isinstance(part, dict):
            total += sum(map(len, part))
            unread += part.values()
        elif isinstance(part, list):
            unread += part
        elif isinstance(part, str):
            total += len(part)
    return total


def _objects(root: Schema) -> Iterator[Schema]:
    unread: list[Any] = [root]
    while unread:
        value = unread.pop()
        if isinstance(value, dict):
            yield value
            unread += value.values()
        elif isinstance(value, list):
            unread += value
