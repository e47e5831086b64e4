"""References inside a JSON Schema: where `#/$defs/Address` leads."""

from __future__ import annotations

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
