"""Assistant messages of a history -> Anthropic blocks: thinking first, then text, then tool calls."""

from __future__ import annotations

from typing import Any, NamedTuple

from app.translate.arguments import UNREADABLE, parsed_arguments
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_array, an_array_or_string, an_object, missing, optional_string
from app.translate.content import Block, is_blank, text_block
from app.translate.report import Report
from app.translate.told_calls import tool_uses
from app.translate.tools import CUSTOM_INPUT, ToolForm

RAW_ARGUMENTS = "_raw"
"""Holds arguments that are no JSON object, so that a truncated call stays in the history as it was."""
SPOKEN = {"text": "text", "output_text": "text", "input_text": "text", "refusal": "refusal"}
"""Types of the parts that hold text, and the field that holds it."""


def assistant_text(message: Block, path: str, report: Report) -> list[Block]:
    """The text blocks of `content` and `refusal`; blank ones are left out.

    Thinking and calls among the parts are read elsewhere; of any other kind of part, the model cannot have said it.
    """
    blocks: list[Block] = []
    content = message.get("content")
    if isinstance(content, str):
        blocks += [] if is_blank(content) else [text_block(content)]
    elif content is not None:
        for index, part in enumerate(an_array_or_string(content, f"{path}.content")):
            blocks += _part(part, f"{path}.content[{index}]", report)
    refusal = message.get("refusal")
    if refusal is not None and not is_blank(a_string(refusal, f"{path}.refusal")) and not _says(blocks, refusal):
        blocks.append(text_block(refusal))
    return blocks


def _says(blocks: list[Block], refusal: str) -> bool:
    """Whether the text is the refusal, as in our own answers where a model refuses without an explanation."""
    return "".join(block["text"] for block in blocks).strip() == refusal.strip()


def _part(part: Any, path: str, report: Report) -> list[Block]:
    if isinstance(part, str):
        return [] if is_blank(part) else [text_block(part)]
    part = an_object(part, path)
    kind = optional_string(part, "type", path)
    if kind in {"thinking", "redacted_thinking", "tool_use"}:
        return []
    if kind in SPOKEN:
        text = a_string(part.get(SPOKEN[kind]), f"{path}.{SPOKEN[kind]}")
    elif kind is None:
        raise missing(f"{path}.type")
    else:
        report.ignore("messages[].content[].type")
        return []
    return [] if is_blank(text) else [text_block(text) | cache_control(part, path)]


def spoken_texts(message: Block) -> list[str]:
    """The texts that `assistant_text` finds in `content`, unvalidated: what is odd is passed over."""
    content = message.get("content")
    found = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and isinstance(part.get("type"), str):
            part = part.get(SPOKEN.get(part["type"], ""))
        found += [part] if isinstance(part, str) and not is_blank(part) else []
    return found


class Call(NamedTuple):
    """One tool call of a history: the client's id and name, and its arguments as the client has them, found at `path`.

    `arguments` are JSON text (or the object that some clients send instead); `text` is the input of a custom tool.
    `marks` is the call's own `{"cache_control": ...}`, or empty.
    """

    path: str
    id: str
    name: str
    marks: Block
    arguments: str | Block | None = None
    text: str | None = None

    def input(self, form: ToolForm | None, report: Report) -> Block:
        """The input as this tool's schema has it now; arguments that are no object are kept under `_raw`."""
        if self.text is not None:
            return {CUSTOM_INPUT: self.text}
        arguments = self.arguments
        value = parsed_arguments(arguments) if isinstance(arguments, str) else (arguments or {})
        if value is UNREADABLE or not (isinstance(value, dict) or (form and form.wrapped)):
            report.adjust(self.path, f"{{{RAW_ARGUMENTS}}}")
            return {RAW_ARGUMENTS: arguments}
        if form is None:
            return {} | value
        if form.renamed:
            value = _renamed(value, {own: sent for sent, own in form.renamed.items()})
        wrapped = not form.wrapped or (isinstance(value, dict) and value.keys() == {"value"})
        return {} | value if wrapped else {"value": value}


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(child, names) for key, child in value.items()}
    return [_renamed(child, names) for child in value] if isinstance(value, list) else value


def calls(message: Block, path: str) -> list[Call]:
    """The calls in `tool_calls`, the legacy `function_call`, and Anthropic's `tool_use` among the parts of `content`.

    A part whose id `tool_calls` has too is the same call again.
    Raises InvalidRequest for a call without a name or with arguments that are neither a string nor an object.
    """
    found: list[Call] = []
    if message.get("tool_calls") is not None:
        for index, call in enumerate(an_array(message["tool_calls"], f"{path}.tool_calls")):
            found.append(_call(call, f"{path}.tool_calls[{index}]"))
    if message.get("function_call") is not None:
        found.append(_function("", message["function_call"], f"{path}.function_call", {}))
    parts = tool_uses(message)
    if parts:
        known = {call.id for call in found if call.id}
        uses = [_tool_use(part, f"{path}.content[{index}]") for index, part in parts]
        found += [call for call in uses if call.id not in known]
    return found


def _tool_use(part: Block, path: str) -> Call:
    id = optional_string(part, "id", path) or ""
    arguments = _arguments(part, "input", path)
    return Call(f"{path}.input", id, _name(part, path), cache_control(part, path), arguments)


def _call(call: Any, path: str) -> Call:
    call = an_object(call, path)
    id = optional_string(call, "id", path) or ""
    marks = cache_control(call, path)
    if call.get("custom") is not None:
        path = f"{path}.custom"
        custom = an_object(call["custom"], path)
        return Call(path, id, _name(custom, path), marks, text=a_string(custom.get("input"), f"{path}.input"))
    if call.get("function") is None:
        raise missing(f"{path}.function")
    return _function(id, call["function"], f"{path}.function", marks)


def _function(id: str, function: Any, path: str, marks: Block) -> Call:
    function = an_object(function, path)
    return Call(f"{path}.arguments", id, _name(function, path), marks, _arguments(function, "arguments", path))


def _arguments(owner: Block, name: str, path: str) -> str | Block | None:
    arguments = owner.get(name)
    return arguments if isinstance(arguments, dict) else optional_string(owner, name, path)


def _name(function: Block, path: str) -> str:
    name = optional_string(function, "name", path)
    if name is None:
        raise missing(f"{path}.name")
    return name
