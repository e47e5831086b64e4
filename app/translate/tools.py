"""Tool definitions: OpenAI functions and custom tools -> Anthropic tools, and what the way back needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.profiles.profile import Profile
from app.translate.cache import cache_control
from app.translate.checks import (
    a_boolean,
    an_array,
    an_object,
    invalid_value,
    missing,
    optional_boolean,
    optional_string,
    wrong_type,
)
from app.translate.identifiers import ToolNames
from app.translate.native_schema import StrictBudget
from app.translate.report import Report
from app.translate.schema import EMPTY_OBJECT, tool_schema

Block = dict[str, Any]
_PATTERNS_LENGTH = 50_000
"""Characters of regular expressions that one request has compiled; its other tools have theirs told."""
CUSTOM_INPUT = "input"
"""The one property of the schema that stands in for a custom tool's free text."""


@dataclass(frozen=True, slots=True)
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


@dataclass(slots=True)
class Toolbox:
    """The tools of one request, by the name sent upstream, in the client's order."""

    names: ToolNames
    definitions: dict[str, Block] = field(default_factory=dict)
    forms: dict[str, ToolForm] = field(default_factory=dict)
    legacy: bool = False
    """The request used `functions`; the answer carries `function_call`."""
    left_out: set[str] = field(default_factory=set)
    """Names of tools that the client offers and this upstream does not know."""

    def lacks(self, name: str) -> bool:
        """Whether the client's tool `name` was left out."""
        return name in self.left_out and self.names.sent(name) not in self.definitions

    def add(self, sent_name: str, definition: Block, form: ToolForm, report: Report, path: str) -> None:
        if sent_name in self.definitions:
            if self.definitions[sent_name] != definition:
                report.ignore(path)
            return
        self.definitions[sent_name] = definition
        self.forms[sent_name] = form


_OFFERS = frozenset(["tools", "functions"])


def toolbox(chat_request: Block, profile: Profile, report: Report) -> Toolbox:
    """The tools that `tools` or the legacy `functions` offer.

    Raises InvalidRequest for a tool that is neither a function, a custom tool nor Anthropic's own.
    """
    box = Toolbox(ToolNames(profile.tool_name_length))
    if _OFFERS.isdisjoint(chat_request):
        return box
    reader = _ToolReader(box, profile, report)
    offered = an_array(chat_request.get("tools") or [], "tools")
    for index, tool in enumerate(offered):
        reader.read(tool, f"tools[{index}]")
    for index, function in enumerate(an_array(chat_request.get("functions") or [], "functions")):
        box.legacy = not offered
        reader.read_function(function, f"functions[{index}]", {})
    return box


def add_stubs(box: Toolbox, used: list[str]) -> None:
    """Definitions for calls in the history of a request without tools: `Requests which include tool_use or
    tool_result blocks must define tools.` (observed message)"""
    for sent_name in used:
        if sent_name not in box.definitions:
            box.definitions[sent_name] = {"name": sent_name, "input_schema": dict(EMPTY_OBJECT)}


def named(tool: Any, path: str) -> tuple[Block, str]:
    """(tool, its name). Raises InvalidRequest if it is no object or has no name."""
    tool = an_object(tool, path)
    name = optional_string(tool, "name", path)
    if name is None:
        raise missing(f"{path}.name")
    if not name:
        raise invalid_value(f"{path}.name", "a name of at least one character", name)
    return tool, name


class _ToolReader:
    """Reads the tools of one request into its box."""

    def __init__(self, box: Toolbox, profile: Profile, report: Report) -> None:
        self._box = box
        self._profile = profile
        self._report = report
        self._strict = StrictBudget()
        self._patterns_left = _PATTERNS_LENGTH

    def read(self, tool: Any, path: str) -> None:
        tool = an_object(tool, path)
        kind = optional_string(tool, "type", path)
        if kind == "function" or (kind is None and "function" in tool):
            # Some clients leave the inner object out, as the Responses API does.
            inner = "function" in tool
            self.read_function(tool["function"] if inner else tool, f"{path}.function" if inner else path, tool)
        elif kind == "custom" and "input_schema" not in tool:
            inner = "custom" in tool
            self._read_custom(tool["custom"] if inner else tool, f"{path}.custom" if inner else path, tool)
        elif "input_schema" in tool:
            self._read_anthropic(tool, path)
        elif kind is not None and ("name" in tool or "toolset" in kind):
            self._read_server_tool(tool, kind, path)
        else:
            raise (
                missing(f"{path}.type")
                if kind is None
                else invalid_value(f"{path}.type", "'function' and 'custom'", kind)
            )

    def read_function(self, function: Any, path: str, tool: Block) -> None:
        """`tool` is the object around `function`; cache_control and strict may stand on either."""
        function, name = named(function, path)
        strict = optional_boolean(function, "strict", path)
        if strict is None:
            strict = optional_boolean(tool, "strict", path.removesuffix(".function"))
        outside = path.removesuffix(".function")
        more = self._extras(tool, outside, cache_control(tool, outside) or cache_control(function, path))
        self._define(name, function, "parameters", bool(strict), path, more)

    def _define(self, name: str, function: Block, schema_field: str, strict: bool, path: str, more: Block) -> None:
        schema = function.get(schema_field)
        if schema is not None and not isinstance(schema, dict) and (schema_field, type(schema)) != ("parameters", bool):
            raise wrong_type(f"{path}.{schema_field}", "an object", schema)
        repaired = tool_schema(schema, reads_patterns=self._patterns_left > 0)
        self._patterns_left -= repaired.patterns_length
        definition: Block = {"name": self._box.names.sent(name)}
        if (description := optional_string(function, "description", path)) is not None:
            definition["description"] = description
        definition["input_schema"] = repaired.schema
        if strict:
            closed = repaired.native if self._profile.structured_outputs else None
            if closed is not None and self._strict.takes(closed):
                definition |= {"input_schema": closed, "strict": True}
            else:
                self._report.ignore(f"{path}.strict")
        form = ToolForm(name, False, repaired.wrapped, repaired.renamed)
        self._box.add(definition["name"], definition | more, form, self._report, path)

    def _read_custom(self, custom: Any, path: str, tool: Block) -> None:
        """A custom tool takes free text: here the one string property `input`, its grammar told in the description."""
        custom, name = named(custom, path)
        description = optional_string(custom, "description", path)
        text = {"type": "string"} | _grammar(custom, path)
        sent_name = self._box.names.sent(name)
        definition: Block = {"name": sent_name} | ({} if description is None else {"description": description})
        definition["input_schema"] = {"type": "object", "properties": {CUSTOM_INPUT: text}, "required": [CUSTOM_INPUT]}
        definition |= cache_control(tool, path.removesuffix(".custom")) or cache_control(custom, path)
        self._box.add(sent_name, definition, ToolForm(name, custom=True), self._report, path)

    def _read_anthropic(self, tool: Block, path: str) -> None:
        """A tool of the client's in Anthropic's own shape."""
        tool, name = named(tool, path)
        strict = bool(optional_boolean(tool, "strict", path))
        more = self._extras(tool, path, cache_control(tool, path))
        self._define(name, tool, "input_schema", strict, path, more)

    def _extras(self, tool: Block, path: str, marks: Block) -> Block:
        """`marks` and what Anthropic alone knows of a tool; LiteLLM's clients put it on OpenAI's form too."""
        extras: Block = {}
        for name, check in _EXTRAS.items():
            value = tool.get(name)
            if value is None or not check(value, f"{path}.{name}"):
                continue
            if self._profile.anthropic_extensions and name not in self._profile.refused_fields:
                extras[name] = value
            else:
                self._report.ignore(f"{path}.{name}")
        # `cannot have both defer_loading=true and cache_control set` (observed message)
        return extras if extras.get("defer_loading") else marks | extras

    def _read_server_tool(self, tool: Block, kind: str, path: str) -> None:
        """A tool that Anthropic runs or defines, such as web_search_20250305: passed on, to those who know it.

        Toolsets have no name; those of MCP servers name the server.
        """
        name = f"{kind} {tool.get('mcp_server_name')}" if "name" not in tool else named(tool, path)[1]
        if not self._profile.anthropic_extensions:
            self._report.ignore(path)
            self._box.left_out.add(name)
            return
        definition = {key: value for key, value in tool.items() if value is not None and key != "cache_control"}
        self._box.add(name, definition | cache_control(tool, path), ToolForm(name), self._report, path)


_EXTRAS: dict[str, Callable[[Any, str], Any]] = {
    "defer_loading": a_boolean,
    "eager_input_streaming": a_boolean,
    "allowed_callers": an_array,
    "input_examples": an_array,
}


def loaded(tools: list[Block], report: Report) -> list[Block]:
    """`At least one tool must have defer_loading=false.` (observed message)"""
    if not tools or not all(tool.get("defer_loading") for tool in tools):
        return tools
    report.adjust("tools[].defer_loading", False)
    return [{name: value for name, value in tool.items() if name != "defer_loading"} for tool in tools]


def _grammar(custom: Block, path: str) -> Block:
    """A description of the text that a custom tool's `format` asks for."""
    if custom.get("format") is None:
        return {}
    path = f"{path}.format"
    format = an_object(custom["format"], path)
    if optional_string(format, "type", path) != "grammar":
        return {}
    grammar = format
    if format.get("grammar") is not None:
        path = f"{path}.grammar"
        grammar = an_object(format["grammar"], path)
    syntax, definition = optional_string(grammar, "syntax", path), optional_string(grammar, "definition", path)
    return {"description": f"Must match this {syntax or ''} grammar:\n{definition or ''}"}
