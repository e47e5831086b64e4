"""Tool definitions and tool_choice: OpenAI functions and custom tools -> Anthropic tools, and what the way back needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.errors import InvalidRequest
from app.profiles import Profile
from app.translate.cache import cache_control
from app.translate.checks import a_boolean, a_string, an_array, an_object, invalid_value, missing, wrong_type
from app.translate.identifiers import ToolNames
from app.translate.report import Report
from app.translate.schema import EMPTY_OBJECT, tool_schema

Block = dict[str, Any]
CUSTOM_INPUT = "input"
"""The one property of the schema that stands in for a custom tool's free text."""


@dataclass(frozen=True)
class ToolForm:
    """How the client wants one tool's calls back."""

    name: str
    custom: bool = False
    wrapped: bool = False
    renamed: dict[str, str] = field(default_factory=dict)
    json_answer: bool = False
    """The tool stands in for `response_format`; its input is the answer's content, not a call."""

    @property
    def verbatim(self) -> bool:
        """Whether the arguments can be handed on piece by piece, as they come."""
        return not (self.custom or self.wrapped or self.renamed)


@dataclass
class Toolbox:
    """The tools of one request, by the name sent upstream, in the client's order."""

    names: ToolNames
    definitions: dict[str, Block] = field(default_factory=dict)
    forms: dict[str, ToolForm] = field(default_factory=dict)
    legacy: bool = False
    """The request used `functions`; the answer carries `function_call`."""

    def add(self, sent_name: str, definition: Block, form: ToolForm, report: Report, path: str) -> None:
        if sent_name in self.definitions:
            if self.definitions[sent_name] != definition:
                report.ignore(path)
            return
        self.definitions[sent_name] = definition
        self.forms[sent_name] = form


def toolbox(chat_request: Block, profile: Profile, report: Report) -> Toolbox:
    """The tools that `tools` or the legacy `functions` offer.

    Raises InvalidRequest for a tool that is neither a function, a custom tool nor Anthropic's own.
    """
    box = Toolbox(ToolNames(profile.tool_name_length))
    for index, tool in enumerate(an_array(chat_request.get("tools") or [], "tools")):
        path = f"tools[{index}]"
        tool = an_object(tool, path)
        kind = tool.get("type", "function" if "function" in tool else None)
        if kind == "function":
            _add_function(box, tool.get("function", tool), f"{path}.function", tool, profile, report)
        elif kind == "custom" and "input_schema" not in tool:
            _add_custom(box, tool.get("custom", tool), f"{path}.custom", tool, report)
        elif "name" in tool and ("input_schema" in tool or isinstance(kind, str)):
            _add_anthropic(box, tool, path, report)
        else:
            raise invalid_value(f"{path}.type", "'function' and 'custom'", kind)
    for index, function in enumerate(an_array(chat_request.get("functions") or [], "functions")):
        box.legacy = not chat_request.get("tools")
        _add_function(box, function, f"functions[{index}]", {}, profile, report)
    return box


def _named(tool: Any, path: str) -> tuple[Block, str]:
    tool = an_object(tool, path)
    if tool.get("name") is None:
        raise missing(f"{path}.name")
    name = a_string(tool["name"], f"{path}.name")
    if not name:
        raise invalid_value(f"{path}.name", "a name of at least one character", name)
    return tool, name


def _add_function(box: Toolbox, function: Any, path: str, tool: Block, profile: Profile, report: Report) -> None:
    function, name = _named(function, path)
    parameters = function.get("parameters")
    if not isinstance(parameters, dict | bool | None):
        raise wrong_type(f"{path}.parameters", "an object", parameters)
    repaired = tool_schema(parameters)
    sent_name = box.names.sent(name)
    definition: Block = {"name": sent_name}
    if function.get("description") is not None:
        definition["description"] = a_string(function["description"], f"{path}.description")
    definition["input_schema"] = repaired.schema
    strict = function.get("strict", tool.get("strict"))
    if strict is not None and a_boolean(strict, f"{path}.strict"):
        if profile.structured_outputs and _closed(repaired.schema):
            definition["strict"] = True
        else:
            report.ignore(f"{path}.strict")
    definition |= cache_control(tool, path) or cache_control(function, path)
    box.add(sent_name, definition, ToolForm(name, False, repaired.wrapped, repaired.renamed), report, path)


def _closed(schema: Any) -> bool:
    """Whether every object says `additionalProperties: false`, without which the API refuses `strict`."""
    if isinstance(schema, list):
        return all(map(_closed, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    return all(map(_closed, schema.values()))


def _add_custom(box: Toolbox, custom: Any, path: str, tool: Block, report: Report) -> None:
    """A custom tool takes free text: here the one string property `input`, its grammar told in the description."""
    custom, name = _named(custom, path)
    description = custom.get("description")
    lines = [a_string(description, f"{path}.description")] if description is not None else []
    text: Block = {"type": "string"}
    grammar = an_object(custom.get("format") or {}, f"{path}.format").get("grammar")
    if grammar is not None:
        grammar = an_object(grammar, f"{path}.format.grammar")
        text["description"] = f"Must match this {grammar.get('syntax')} grammar:\n{grammar.get('definition')}"
    sent_name = box.names.sent(name)
    definition: Block = {"name": sent_name} | ({"description": lines[0]} if lines else {})
    definition["input_schema"] = {
        "type": "object",
        "properties": {CUSTOM_INPUT: text},
        "required": [CUSTOM_INPUT],
    }
    box.add(sent_name, definition | cache_control(tool, path), ToolForm(name, custom=True), report, path)


def _add_anthropic(box: Toolbox, tool: Block, path: str, report: Report) -> None:
    """A tool in Anthropic's own shape, a server tool included: passed on as it is."""
    _, name = _named(tool, path)
    sent_name = box.names.sent(name)
    definition = {key: value for key, value in tool.items() if not (key == "type" and value == "custom")}
    definition["name"] = sent_name
    box.add(sent_name, definition, ToolForm(name), report, path)


def add_stubs(box: Toolbox, used: list[str]) -> None:
    """Definitions for calls in the history of a request without tools: `Requests which include tool_use or
    tool_result blocks must define tools.` (observed message)"""
    for sent_name in used:
        if sent_name not in box.definitions:
            box.definitions[sent_name] = {"name": sent_name, "input_schema": dict(EMPTY_OBJECT)}


def web_search_tool(options: Any) -> Block:
    """`web_search_options` -> Anthropic's server tool; the context size becomes a number of searches."""
    options = an_object(options, "web_search_options")
    size = options.get("search_context_size") or "medium"
    uses = {"low": 1, "medium": 5, "high": 10}.get(size) if isinstance(size, str) else None
    if uses is None:
        raise invalid_value("web_search_options.search_context_size", "'low', 'medium', and 'high'", size)
    tool: Block = {"type": "web_search_20250305", "name": "web_search", "max_uses": uses}
    location = an_object(options.get("user_location") or {}, "web_search_options.user_location")
    places = an_object(location.get("approximate") or {}, "web_search_options.user_location.approximate")
    known = {key: places[key] for key in ("city", "region", "country", "timezone") if places.get(key)}
    return tool | ({"user_location": {"type": "approximate"} | known} if known else {})


@dataclass(frozen=True)
class ToolChoice:
    """What the client demands: `mode` is auto, none, any or tool (then `name`, as sent upstream)."""

    mode: str
    name: str | None = None
    allowed: tuple[str, ...] | None = None

    @property
    def forced(self) -> bool:
        return self.mode in {"any", "tool"}


def tool_choice(chat_request: Block, box: Toolbox) -> ToolChoice | None:
    """The client's `tool_choice` or legacy `function_call`; None if it made none.

    Raises InvalidRequest for an unknown form, or a tool that is not offered.
    """
    path = "tool_choice"
    choice = chat_request.get("tool_choice")
    if choice is None:
        path = "function_call"
        choice = chat_request.get("function_call")
    if choice is None:
        return None
    if isinstance(choice, str):
        mode = {"auto": "auto", "none": "none", "required": "any", "any": "any"}.get(choice)
        if mode is None:
            raise invalid_value(path, "'none', 'auto', and 'required'", choice)
        return ToolChoice(mode)
    choice = an_object(choice, path)
    kind = choice.get("type", "function" if path == "function_call" or "function" in choice else None)
    if kind in {"auto", "none", "any"}:
        return ToolChoice(kind)
    if kind == "allowed_tools":
        return _allowed_tools(choice.get("allowed_tools", choice), box)
    if kind in {"function", "custom", "tool"}:
        inner = choice.get(kind, choice)
        return ToolChoice("tool", _offered(inner, box, path if inner is choice else f"{path}.{kind}"))
    raise invalid_value(f"{path}.type", "'function', 'custom', and 'allowed_tools'", kind)


def _allowed_tools(choice: Any, box: Toolbox) -> ToolChoice:
    path = "tool_choice.allowed_tools"
    choice = an_object(choice, path)
    mode = {"auto": "auto", "required": "any"}.get(choice.get("mode", "auto"))
    if mode is None:
        raise invalid_value(f"{path}.mode", "'auto' and 'required'", choice.get("mode"))
    allowed = []
    for index, tool in enumerate(an_array(choice.get("tools"), f"{path}.tools")):
        here = f"{path}.tools[{index}]"
        tool = an_object(tool, here)
        kind = tool.get("type", "function")
        allowed.append(_offered(tool.get(kind, tool), box, here))
    return ToolChoice(mode, allowed=tuple(allowed))


def _offered(tool: Any, box: Toolbox, path: str) -> str:
    _, name = _named(tool, path)
    sent_name = box.names.sent(name)
    if sent_name not in box.definitions:
        raise InvalidRequest(
            f"Invalid value for '{path}.name': the tool '{name}' is not among 'tools'.",
            param=f"{path}.name",
            code="invalid_value",
        )
    return sent_name
