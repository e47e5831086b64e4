"""Assistant messages of a history -> Anthropic blocks: thinking first, then text, then tool calls."""

from __future__ import annotations

import json
from typing import Any

from app.errors import InvalidRequest
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_array, an_object, invalid_value, wrong_type
from app.translate.content import Block, is_blank, text_block
from app.translate.report import Report
from app.translate.tools import CUSTOM_INPUT, ToolForm

RAW_ARGUMENTS = "_raw"
"""Holds arguments that are no JSON object, so that a truncated call stays in the history as it was."""


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
    part = an_object(part, path)
    kind = part.get("type")
    if kind in {"thinking", "redacted_thinking"}:
        return []
    if kind == "refusal":
        text = a_string(part.get("refusal"), f"{path}.refusal")
    elif kind in {"text", "output_text", "input_text"}:
        text = a_string(part.get("text"), f"{path}.text")
    else:
        raise invalid_value(f"{path}.type", "'text' and 'refusal'", kind)
    return [] if is_blank(text) else [text_block(text) | cache_control(part, path)]


class Call:
    """One tool call of a history: the client's id and name, and its arguments as an object."""

    def __init__(self, id: str, name: str, arguments: str | None, input: Block | None = None) -> None:
        self.id = id
        self.name = name
        self.arguments = arguments
        self._input = input

    def input(self, form: ToolForm | None, report: Report, path: str) -> Block:
        """The input as this tool's schema has it now; arguments that are no object are kept under `_raw`."""
        if self._input is not None:
            return self._input
        value = _parsed(self.arguments or "")
        if form and form.wrapped and not (isinstance(value, dict) and set(value) == {"value"}):
            return {"value": value}
        if not isinstance(value, dict):
            report.adjust(f"{path}.function.arguments", f"{{{RAW_ARGUMENTS}}}")
            return {RAW_ARGUMENTS: self.arguments}
        return _renamed(value, {own: sent for sent, own in form.renamed.items()}) if form else value


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(child, names) for key, child in value.items()}
    return [_renamed(child, names) for child in value] if isinstance(value, list) else value


def _parsed(arguments: str) -> Any:
    """The JSON value in `arguments`; `{}` for none, None for what is no JSON or cannot be sent as JSON."""
    if is_blank(arguments):
        return {}
    try:
        value = json.loads(arguments, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


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
    id = a_string(call.get("id") or "", f"{path}.id")
    if "custom" in call:
        custom = an_object(call["custom"], f"{path}.custom")
        name = a_string(custom.get("name"), f"{path}.custom.name")
        return Call(id, name, None, {CUSTOM_INPUT: a_string(custom.get("input"), f"{path}.custom.input")})
    if "function" not in call:
        raise InvalidRequest(
            f"Missing required parameter: '{path}.function'.",
            param=f"{path}.function",
            code="missing_required_parameter",
        )
    return _function(id, call["function"], f"{path}.function")


def _function(id: str, function: Any, path: str) -> Call:
    function = an_object(function, path)
    name = a_string(function.get("name"), f"{path}.name")
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        return Call(id, name, None, arguments)
    if arguments is not None and not isinstance(arguments, str):
        raise wrong_type(f"{path}.arguments", "a string", arguments)
    return Call(id, name, arguments)
