"""Typed access to a client's JSON; a wrong type is an InvalidRequest in OpenAI's own words."""

from __future__ import annotations

from typing import Any

from app.errors import InvalidRequest

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def kind(value: Any) -> str:
    """How OpenAI's error texts call the JSON type of `value`, such as `an integer`."""
    return _KINDS.get(type(value), "a value")


def wrong_type(path: str, expected: str, value: Any) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid type for '{path}': expected {expected}, but got {kind(value)} instead.",
        param=path,
        code="invalid_type",
    )


def invalid_value(path: str, expected: str, value: Any) -> InvalidRequest:
    shown = repr(value) if isinstance(value, str) else kind(value)
    return InvalidRequest(
        f"Invalid value for '{path}': {shown[:200]}. Supported values are: {expected}.",
        param=path,
        code="invalid_value",
    )


def missing(path: str) -> InvalidRequest:
    return InvalidRequest(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def an_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    return value


def an_array(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong_type(path, "an array", value)
    return value


def an_array_or_string(value: Any, path: str) -> list[Any]:
    """The array, where a string, which the caller has looked for, would do as well."""
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array", value)
    return value


def a_string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)
    return value


def optional_string(owner: dict[str, Any], name: str, path: str) -> str | None:
    """The field `name` of `owner`, which stands at `path`; a null means the same as leaving it out."""
    value = owner.get(name)
    return None if value is None else a_string(value, f"{path}.{name}")


def optional_boolean(owner: dict[str, Any], name: str, path: str) -> bool | None:
    value = owner.get(name)
    return None if value is None else a_boolean(value, f"{path}.{name}")


def a_boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)
    return value


def an_integer(value: Any, path: str) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(path, "an integer", value)
    return value


def a_number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(path, "a number", value)
    return value


def between(value: float, lowest: float, highest: float, path: str) -> None:
    """Raises InvalidRequest unless lowest <= value <= highest; OpenAI's `…_below_min_value` texts."""
    if lowest <= value <= highest:
        return
    number = "integer" if isinstance(value, int) else "decimal"
    if value < lowest:
        raise InvalidRequest(
            f"Invalid '{path}': {number} below minimum value. Expected a value >= {lowest}, but got {value} instead.",
            param=path,
            code=f"{number}_below_min_value",
        )
    if value > highest:
        raise InvalidRequest(
            f"Invalid '{path}': {number} above maximum value. Expected a value <= {highest}, but got {value} instead.",
            param=path,
            code=f"{number}_above_max_value",
        )
