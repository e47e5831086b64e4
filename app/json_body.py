"""JSON bytes to Python values, stricter than the standard library, and back."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

from app.errors import InvalidRequest
from app.json_size import MAX_VALUES, more_values_than_allowed

_BEYOND_64_BITS = 2.0**63
_SPACED = b'": '
"""Found near the start of a body, it tells a writer that puts a space behind each colon, as Python's `json` does."""
_ESCAPED_COLON = b"\\u003"
"""The start of a colon written as an escape, which a count of `:` in the source misses."""
_SURROGATE = re.compile(rb"\\u[dD]")


class _Refused:
    """Stands in the parsed tree where JSON has no such value, so that its path can be told."""

    def __init__(self, complaint: str) -> None:
        self.complaint = complaint


class _Doubled(dict[str, Any]):
    """An object in which a key came twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


class _Doubtful(ValueError):
    """A quick reading may not be trusted."""


class _RefusedError(Exception):
    """Ends a strict reading at once; a telling one follows, which finds the path of what is wrong."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RefusedError
    return value


def _constant(name: str) -> float:
    raise _RefusedError


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _RefusedError
    return number


def _told_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _Doubled(pairs)


def _told_constant(name: str) -> _Refused:
    return _Refused(f"{name} is not a JSON number.")


def _told_float(digits: str) -> float | _Refused:
    number = float(digits)
    return _Refused("The number is too large.") if math.isinf(number) else number


# Made once: the json module makes one for each `loads` with hooks.
_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
_TELLING = json.JSONDecoder(object_pairs_hook=_told_object, parse_constant=_told_constant, parse_float=_told_float)


def read_json(body: bytes) -> Any:
    """The value in `body`: UTF-8 JSON without duplicate keys, NaN, infinities or lone surrogates.

    Raises InvalidRequest with the path of what is wrong where there is one.
    """
    if not body.strip():
        raise InvalidRequest("The request body is empty; send a JSON object.")
    if body.startswith(codecs.BOM_UTF8):
        raise InvalidRequest("The request body begins with a byte order mark (BOM); send it without.")
    if more_values_than_allowed([body]):
        raise InvalidRequest(f"The request body holds more than {MAX_VALUES:,} JSON values.")
    try:
        return _quickly_read(body)
    except ValueError:
        return _strictly_read(body)


def _quickly_read(body: bytes) -> Any:
    """What orjson reads, many times as fast. Raises ValueError where a strict reading might tell or give another."""
    value = orjson.loads(body)
    if not _comes_back(value, body) and not _is_whole(value, body):
        raise _Doubtful
    return value


def _comes_back(value: Any, body: bytes) -> bool:
    """Whether `value` is written as `body`, which then holds nothing that is not in it.

    Most clients write JSON as orjson does, compact and without needless escapes, and to write it again is several
    times as fast as to look at everything in it.
    """
    try:
        return _SPACED not in body[:64] and orjson.dumps(value) == body
    except orjson.JSONEncodeError:
        return False


def _is_whole(value: Any, body: bytes) -> bool:
    """Whether orjson read all of `body` as it stands there, told by its colons.

    orjson drops the first of two equal keys, which takes its colon and those in its strings along: none of the
    source's may be missing. And it makes a float of a whole number beyond 64 bits.
    """
    colons = 0
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is str:
            colons += item.count(":")
        elif kind is dict:
            colons += len(item)
            stack += item
            stack += item.values()
        elif kind is list:
            stack += item
        elif kind is float and abs(item) >= _BEYOND_64_BITS:
            return False
    return colons == body.count(b":") and _ESCAPED_COLON not in body


def _strictly_read(body: bytes) -> Any:
    try:
        source = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The request body is not valid UTF-8 (byte {error.start}); send JSON encoded as UTF-8."
        ) from None
    try:
        try:
            value = _STRICT.decode(source)
        except _RefusedError:
            value = _TELLING.decode(source)
            _refuse_first(value)
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from None
    except ValueError:
        # Python's limit of 4,300 digits; its own message names a function of Python's.
        raise InvalidRequest("The request body is not valid JSON: a number has too many digits.") from None
    if _SURROGATE.search(body):
        _refuse_first(value)
    return value


def dump_json(value: Any) -> bytes:
    """Compact UTF-8 JSON; numbers beyond 64 bits included.

    Raises InvalidRequest if the value is nested deeper than any API reads.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        pass
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (RecursionError, ValueError):
        raise InvalidRequest("The request body is nested too deeply.") from None


def _refuse_first(value: Any) -> None:
    for path, complaint in _complaints(value, ""):
        raise InvalidRequest(f"The request body is not valid JSON: {complaint}", param=path or None)


def _complaints(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Depth-first (path, complaint) pairs; strings and keys are checked for lone surrogates."""
    stack = [(path, value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, _Refused):
            yield path, item.complaint
        elif isinstance(item, str) and not _encodable(item):
            yield path, "a \\u escape is half of a surrogate pair."
        elif isinstance(item, dict):
            if isinstance(item, _Doubled):
                yield _join(path, item.key), f"the key {item.key!r} is given twice."
            if not all(map(_encodable, item)):
                yield path, "a key holds half of a surrogate pair."
            stack.extend((_join(path, key), child) for key, child in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend((_join(path, index), item[index]) for index in range(len(item) - 1, -1, -1))


def _join(path: str, step: str | int) -> str:
    return f"{path}.{step}" if path else str(step)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
