"""Checks of JSON shapes, field by field, in the words and paths of the API's own validator (pydantic)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .profiles import Enforced
from .terms import Terms

Check = Callable[[Any, str, Terms], str | None]
"""(value, its path, terms) -> the message of the first violation, path included, or None."""

EXTRA = "Extra inputs are not permitted"
NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"


@dataclass(frozen=True)
class BetaOnly:
    """A field or variant that exists only when a beta whose name begins with `beta` was asked for."""

    beta: str
    check: Check


Fields = Mapping[str, Check | BetaOnly]


def anything(_value: Any, _path: str, _terms: Terms) -> str | None:
    """Any JSON value."""
    return None


def boolean(value: Any, path: str, _terms: Terms) -> str | None:
    """true or false."""
    return None if isinstance(value, bool) else f"{path}: Input should be a valid boolean"


def dictionary(value: Any, path: str, _terms: Terms) -> str | None:
    """An object with any members."""
    return None if isinstance(value, dict) else f"{path}: Input should be a valid dictionary"


def string(pattern: str | None = None, *, longest: int | None = None, shortest: int = 0) -> Check:
    """A string, matched against the whole of `pattern` (written as `^...$`, as the API quotes it)."""
    compiled = re.compile(pattern.removeprefix("^").removesuffix("$")) if pattern else None

    def check(value: Any, path: str, _terms: Terms) -> str | None:
        if not isinstance(value, str):
            return f"{path}: Input should be a valid string"
        if len(value) < shortest:
            return f"{path}: String should have at least {shortest} character{'s' * (shortest > 1)}"
        if longest is not None and len(value) > longest:
            return f"{path}: String should have at most {longest} characters"
        if compiled and not compiled.fullmatch(value):
            return f"{path}: String should match pattern '{pattern}'"
        return None

    return check


def number(
    kind: str = "number", *, least: float | None = None, most: float | None = None, above: float | None = None
) -> Check:
    """A number, or an integer with kind="integer", within the bounds given."""
    types = (int,) if kind == "integer" else (int, float)

    def check(value: Any, path: str, _terms: Terms) -> str | None:
        if isinstance(value, bool) or not isinstance(value, types):
            return f"{path}: Input should be a valid {kind}"
        if least is not None and value < least:
            return f"{path}: Input should be greater than or equal to {least}"
        if above is not None and value <= above:
            return f"{path}: Input should be greater than {above}"
        if most is not None and value > most:
            return f"{path}: Input should be less than or equal to {most}"
        return None

    return check


def integer(*, least: int | None = None, above: int | None = None) -> Check:
    """An integer within the bounds given."""
    return number("integer", least=least, above=above)


def literal(*values: str) -> Check:
    """One of the strings."""
    quoted = [f"'{value}'" for value in values]
    expected = " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

    def check(value: Any, path: str, _terms: Terms) -> str | None:
        return None if isinstance(value, str) and value in values else f"{path}: Input should be {expected}"

    return check


def nullable(inner: Check) -> Check:
    """The inner shape, or null."""
    return lambda value, path, terms: None if value is None else inner(value, path, terms)


def list_of(inner: Check) -> Check:
    """A list whose items all have the inner shape."""

    def check(value: Any, path: str, terms: Terms) -> str | None:
        if not isinstance(value, list):
            return f"{path}: Input should be a valid list"
        found = (inner(item, f"{path}.{index}", terms) for index, item in enumerate(value))
        return next((message for message in found if message), None)

    return check


def text_or(inner: Check) -> Check:
    """A string, or a list of the inner shape; anything else is reported as the string that it is not."""
    items = list_of(inner)

    def check(value: Any, path: str, terms: Terms) -> str | None:
        return items(value, path, terms) if isinstance(value, list) else string()(value, path, terms)

    return check


def _available(fields: Fields, terms: Terms) -> dict[str, Check]:
    """The fields that exist under these terms."""
    lenient = not terms.enforces(Enforced.UNKNOWN_FIELDS)
    return {
        name: field.check if isinstance(field, BetaOnly) else field
        for name, field in fields.items()
        if not isinstance(field, BetaOnly) or lenient or terms.has_beta(field.beta)
    }


def record(
    required: Fields,
    optional: Fields | None = None,
    *,
    open_ended: bool = False,
    otherwise: str = NOT_AN_OBJECT,
) -> Check:
    """An object with these fields and, unless open-ended or the upstream is lenient, no others."""
    every: Fields = {**required, **(optional or {})}

    def check(value: Any, path: str, terms: Terms) -> str | None:
        if not isinstance(value, dict):
            return f"{path}: {otherwise}"
        at = f"{path}." if path else ""
        fields = _available(every, terms)
        if not open_ended and terms.enforces(Enforced.UNKNOWN_FIELDS):
            unknown = next((name for name in value if name not in fields), None)
            if unknown is not None:
                return f"{at}{unknown}: {EXTRA}"
        found = (inner(value[name], f"{at}{name}", terms) for name, inner in fields.items() if name in value)
        missing = (f"{at}{name}: Field required" for name in required if name not in value)
        return next((message for message in found if message), None) or next(missing, None)

    return check


def tagged(variants: Fields, *, default: str | None = None) -> Check:
    """An object whose `type` selects the variant; the tag becomes part of the path below it."""

    def check(value: Any, path: str, terms: Terms) -> str | None:
        if not isinstance(value, dict):
            return f"{path}: {NOT_AN_OBJECT}"
        tag = value.get("type", default)
        tag = default if tag is None and default else tag
        if "type" not in value and tag is None:
            return f"{path}.type: Field required"
        available = _available(variants, terms)
        if isinstance(tag, str) and tag in available:
            return available[tag](value, f"{path}.{tag}", terms)
        if not terms.enforces(Enforced.UNKNOWN_FIELDS) and isinstance(tag, str):
            return None
        expected = ", ".join(f"'{name}'" for name in sorted(available))
        return f"{path}: Input tag '{tag}' found using 'type' does not match any of the expected tags: {expected}"

    return check
