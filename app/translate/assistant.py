"""Assistant messages of a history -> Anthropic blocks: thinking first, then text, then tool calls."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from app.translate.cache import cache_control
from app.translate.checks import a_string, an_array, an_object, invalid_value, missing, optional_string
from app.translate.content import Block, is_blank, text_block
from app.translate.report import Report
from app.translate.tools import CUSTOM_INPUT, ToolForm

RAW_ARGUMENTS = "_raw"
"""Holds arguments that are no JSON object, so that a truncated call stays in the history as it was."""
MAX_DEPTH = 100
"""Deeper arguments are kept as text too: JSON readers stop at 128 levels, and the request has some of its own."""
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKETS = re.compile(r"[{}\[\]]")


def assistant_text(message: Block, path: str) -> list[Block]:
    """The text blocks of `content` and `refusal`; blank ones are left out."""
    blocks: list[Block] = []
    content = message.get("content")
    if isinstance(content, str):
        blocks += [] if is_blank(content) else [text_block(content)]
    elif content is not None:
        for index, part in enumerate(an_array(content, f"{path}.content")):
            blocks += _part(part, f"{path}.content[{index}]")
    refusal = message.get("refusal")
    if refusal is not None and not is_blank(a_string(refusal, f"{path}.refusal")):
        blocks.append(text_block(refusal))
    return blocks


def _part(part: Any, path: str) -> list[Block]:
    if isinstance(part, str):
        return [] if is_blank(part) else [text_block(part)]
    part = an_object(part, path)
    kind = optional_string(part, "type", path)
    if kind in {"thinking", "redacted_thinking"}:
        return []
    if kind == "refusal":
        text = a_string(part.get("refusal"), f"{path}.refusal")
    elif kind in {"text", "output_text", "input_text"}:
        text = a_string(part.get("text"), f"{path}.text")
    elif kind is None:
        raise missing(f"{path}.type")
    else:
        raise invalid_value(f"{path}.type", "'text' and 'refusal'", kind)
    return [] if is_blank(text) else [text_block(text) | cache_control(part, path)]


@dataclass(frozen=True)
class Call:
    """One tool call of a history: where it stands, the client's id and name, and its arguments as the client has them.

    `arguments` are JSON text (or the object that some clients send instead); `text` is the input of a custom tool.
    """

    path: str
    id: str
    name: str
    arguments: str | Block | None = None
    text: str | None = None

    def input(self, form: ToolForm | None, report: Report) -> Block:
        """The input as this tool's schema has it now; arguments that are no object are kept under `_raw`."""
        if self.text is not None:
            return {CUSTOM_INPUT: self.text}
        arguments = self.arguments
        value = _parsed(arguments) if isinstance(arguments, str) else (arguments or {})
        if value is _UNREADABLE or not (isinstance(value, dict) or (form and form.wrapped)):
            report.adjust(f"{self.path}.arguments", f"{{{RAW_ARGUMENTS}}}")
            return {RAW_ARGUMENTS: arguments}
        if form is None:
            return {} | value
        if form.renamed:
            value = _renamed(value, {own: sent for sent, own in form.renamed.items()})
        wrapped = not form.wrapped or (isinstance(value, dict) and value.keys() == {"value"})
        return {} | value if wrapped else {"value": value}


_UNREADABLE = object()


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(child, names) for key, child in value.items()}
    return [_renamed(child, names) for child in value] if isinstance(value, list) else value


def _parsed(arguments: str) -> Any:
    """The JSON value in `arguments`, `{}` for none or null; _UNREADABLE for what is no JSON, or cannot be sent."""
    if is_blank(arguments):
        return {}
    if arguments.count("{") + arguments.count("[") > MAX_DEPTH and _too_deep(arguments):
        return _UNREADABLE
    try:
        value = _DECODER.decode(arguments)
        if "\\u" in arguments:
            # Half a surrogate pair is no text; it shows only when encoded.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return _UNREADABLE
    return {} if value is None else value


def _too_deep(source: str) -> bool:
    depth = 0
    for sign in _BRACKETS.findall(_STRING.sub("", source)):
        depth += 1 if sign in "{[" else -1
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


def calls(message: Block, path: str) -> list[Call]:
    """The calls in `tool_calls` and the legacy `function_call`.

    Raises InvalidRequest for a call without a name or with arguments that are no string.
    """
    found = []
    if message.get("tool_calls") is not None:
        for index, call in enumerate(an_array(message["tool_calls"], f"{path}.tool_calls")):
            found.append(_call(call, f"{path}.tool_calls[{index}]"))
    if message.get("function_call") is not None:
        found.append(_function("", message["function_call"], f"{path}.function_call"))
    return found


def _call(call: Any, path: str) -> Call:
    call = an_object(call, path)
    id = optional_string(call, "id", path) or ""
    if call.get("custom") is not None:
        path = f"{path}.custom"
        custom = an_object(call["custom"], path)
        return Call(path, id, _name(custom, path), text=a_string(custom.get("input"), f"{path}.input"))
    if call.get("function") is None:
        raise missing(f"{path}.function")
    return _function(id, call["function"], f"{path}.function")


def _function(id: str, function: Any, path: str) -> Call:
    function = an_object(function, path)
    name = _name(function, path)
    arguments = function.get("arguments")
    if not isinstance(arguments, dict):
        arguments = optional_string(function, "arguments", path)
    return Call(path, id, name, arguments)


def _name(function: Block, path: str) -> str:
    name = optional_string(function, "name", path)
    if name is None:
        raise missing(f"{path}.name")
    return name
