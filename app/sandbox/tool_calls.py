"""Which of the offered tools the user asks for, and with which arguments."""

import json
import re
from dataclasses import dataclass
from typing import Any

from app.sandbox.conversation import Turn, called_tools
from app.sandbox.schema_instance import instance, refusing_invalid, resolved, takes_subject
from app.sandbox.text_values import TextValues, subjects

Json = dict[str, Any]

MAX_CALLS = 16

_ASKS_FOR_ANY_TOOL = re.compile(
    r"\b(?:use|call|invoke|run)\s+(?:(?:the|an?|your|my|any|one of the)\s+)?(?:[\w-]+\s+)?"
    r"(?:tools?|functions?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ToolCall:
    name: str
    input: Json


def tool_calls(messages_request: Json, turn: Turn, text: str) -> list[ToolCall]:
    """The calls to answer with, in the order of `text`; none when nobody asks or `tool_choice` forbids it.

    A tool is asked for by its name ("get_weather", "get the weather"), by "use the tool", or by a
    `tool_choice` that forces one. Tool results end the asking, except where a call is forced.
    Raises ApiError 400 for a schema that is none.
    """
    tools = {
        tool["name"]: tool for tool in messages_request.get("tools", ()) if tool.get("name") and "input_schema" in tool
    }
    choice = messages_request.get("tool_choice") or {}
    if not tools or choice.get("type") == "none" or (turn.tool_results and not is_forced(choice)):
        return []
    calls: list[ToolCall] = []
    for name, segment in _mentions(text, _selected(tools, choice, messages_request)):
        with refusing_invalid(f"tools: {name}: input_schema"):
            calls += _calls_of(tools[name], segment, text, frozenset(tools))
    return calls[: 1 if choice.get("disable_parallel_tool_use") is True else MAX_CALLS]


def is_forced(choice: Json) -> bool:
    """Whether a `tool_choice` leaves no answer but a call."""
    return choice.get("type") in ("any", "tool")


@dataclass(frozen=True)
class _Selection:
    names: list[str]
    fallback: str | None
    """Called when the text mentions none of `names`."""


def _selected(tools: dict[str, Json], choice: Json, messages_request: Json) -> _Selection:
    names = list(tools)
    if choice.get("type") == "tool":
        chosen = next((name for name in names if name == choice.get("name")), names[0])
        return _Selection([chosen], chosen)
    if choice.get("type") == "any":
        # An agent that forces a call in every round is waiting for the tool it has not seen yet.
        called = set(called_tools(messages_request["messages"]).values())
        fresh = [name for name in names if name not in called] or names
        return _Selection(fresh, fresh[0])
    return _Selection(names, None)


def _mentions(text: str, selection: _Selection) -> list[tuple[str, str]]:
    """(tool name, the text from its first mention to the next tool's), in the order of the text."""
    found = sorted((match.start(), name) for name in selection.names if (match := _mention(name, text)))
    if not found:
        fallback = selection.fallback
        if fallback is None and _ASKS_FOR_ANY_TOOL.search(text):
            fallback = selection.names[0]
        return [] if fallback is None else [(fallback, text)]
    if len(found) == 1:
        return [(found[0][1], text)]
    ends = [start for start, _ in found[1:]] + [len(text)]
    return [(name, text[start:end]) for (start, name), end in zip(found, ends, strict=True)]


def _mention(name: str, text: str) -> re.Match[str] | None:
    exact = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) if name in text else None
    words = re.split(r"[_-]+", name)
    if exact or len(words) < 2 or not all(words):
        return exact
    return re.search(r"\b" + r"\s+(?:the\s+)?".join(map(re.escape, words)) + r"\b", text, re.IGNORECASE)


def _calls_of(tool: Json, segment: str, text: str, tool_names: frozenset[str]) -> list[ToolCall]:
    name = tool["name"]
    written = _written_arguments(name, segment)
    if written is not None:
        return [ToolCall(name, written)]
    schema = tool["input_schema"]
    found = subjects(segment, tool_names) or subjects(text, tool_names)[:1]
    # One free string and several subjects: a call for each. Several free strings share the subjects out.
    groups = [[subject] for subject in found] if _free_strings(schema) == 1 and found else [found]
    inputs = [instance(schema, TextValues(segment, group)) for group in groups]
    return [ToolCall(name, arguments if isinstance(arguments, dict) else {}) for arguments in inputs]


def _written_arguments(name: str, segment: str) -> Json | None:
    """Arguments written as JSON behind the name: `get_weather {"city": "Rome"}`, `get_weather({...})`."""
    match = re.search(rf"{re.escape(name)}\s{{0,9}}(?:with\s{{0,9}})?[(:]?\s{{0,9}}(?=\{{)", segment)
    if match is None:
        return None
    try:
        arguments, _ = json.JSONDecoder().raw_decode(segment, match.end())
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _free_strings(schema: Any) -> int:
    top = resolved(schema, schema)
    properties = top.get("properties")
    if not isinstance(properties, dict):
        return 0
    wanted = top["required"] if isinstance(top.get("required"), list) else properties
    return sum(takes_subject(properties.get(name, {}), schema) for name in wanted)
