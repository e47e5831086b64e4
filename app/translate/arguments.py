"""The JSON text in which OpenAI clients send a tool call's arguments back: whatever it holds, it fails no request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from app.errors import InvalidRequest
from app.json_size import MAX_VALUES, more_values_than_allowed
from app.translate.content import is_blank

MAX_DEPTH = 100
"""Deeper arguments stay text: JSON readers stop at 128 levels, and the request has some of its own."""
UNREADABLE = object()
"""Stands for what is no JSON, or cannot be sent as such."""
_STRING = re.compile(r'"[^"]*"?')
_BRACKETS = re.compile(r"[{}\[\]]")


def check_arguments(messages: Any) -> None:
    """Arguments are text to the reader of the body, so their values are counted here, for all calls together.

    `messages` are unvalidated. Raises InvalidRequest if there are more than a body may hold.
    """
    sources = list(_sources(messages))
    if sum(map(len, sources)) <= MAX_VALUES:
        return
    if more_values_than_allowed([source.encode("utf-8", "replace") for source in sources]):
        raise InvalidRequest(f"The tool calls' arguments hold more than {MAX_VALUES:,} JSON values.", param="messages")


def _sources(messages: Any) -> Iterator[str]:
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        made, content = message.get("tool_calls"), message.get("content")
        functions = [call.get("function") for call in made if isinstance(call, dict)] if isinstance(made, list) else []
        if "function_call" in message:
            functions.append(message["function_call"])
        for function in functions:
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                yield function["arguments"]
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(part.get("input"), str):
                yield part["input"]


def parsed_arguments(arguments: str) -> Any:
    """The JSON value in `arguments`, `{}` for none or null; UNREADABLE for what is no JSON, or cannot be sent."""
    if is_blank(arguments):
        return {}
    if arguments.count("{") + arguments.count("[") > MAX_DEPTH and _too_deep(arguments):
        return UNREADABLE
    try:
        value = _DECODER.decode(arguments)
        if "\\u" in arguments:
            # Half a surrogate pair is no text; it shows only when encoded.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return UNREADABLE
    return {} if value is None else value


def _too_deep(source: str) -> bool:
    """Escaped quotes are taken out first: to search around them takes quadratic time where a string never ends."""
    depth = 0
    bare = source.replace("\\\\", "").replace('\\"', "")
    for sign in _BRACKETS.finditer(_STRING.sub("", bare)):
        depth += 1 if sign[0] in "{[" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
