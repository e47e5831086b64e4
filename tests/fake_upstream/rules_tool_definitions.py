"""Rules about tool definitions and tool_choice."""

import re

from .conversation import FORCING, thinking_type, tool_name_of
from .json_schema import INVALID, is_valid
from .structured_outputs import optional_parameters, union_parameters, unsupported
from .terms import Block, Body, Rule, Terms

PROPERTY_KEY = "^[a-zA-Z0-9_.-]{1,64}$"
MAX_STRICT_TOOLS = 20
MAX_OPTIONAL_PARAMETERS = 24
MAX_UNION_PARAMETERS = 16


def _custom_tools(body: Body) -> list[tuple[str, Block]]:
    """(path, definition) of the tools that the client runs itself."""
    tools = enumerate(body.get("tools", []))
    return [(f"tools.{index}.custom", tool) for index, tool in tools if "input_schema" in tool]


def repeated_tool_names(body: Body, _terms: Terms) -> str | None:
    """Two tools of one name."""
    names = [tool_name_of(tool) for tool in body.get("tools", [])]
    return "tools: Tool names must be unique." if len(set(names)) < len(names) else None


def combined_schema_at_the_top(body: Body, _terms: Terms) -> str | None:
    """oneOf, anyOf or allOf as the whole input."""
    for path, tool in _custom_tools(body):
        if {"oneOf", "anyOf", "allOf"} & set(tool["input_schema"]):
            return f"{path}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    return None


def invalid_input_schema(body: Body, _terms: Terms) -> str | None:
    """Not a JSON Schema of draft 2020-12."""
    invalid = (path for path, tool in _custom_tools(body) if not is_valid(tool["input_schema"]))
    return next((f"{path}.input_schema: {INVALID}" for path in invalid), None)


def odd_property_key(body: Body, _terms: Terms) -> str | None:
    """A parameter whose name the API does not take."""
    for path, tool in _custom_tools(body):
        for key in tool["input_schema"].get("properties", {}):
            if not re.fullmatch(PROPERTY_KEY[1:-1], key):
                return f"{path}.input_schema.properties: Property keys should match pattern '{PROPERTY_KEY}'"
    return None


def tool_choice_without_tools(body: Body, _terms: Terms) -> str | None:
    """A choice of nothing."""
    if "tool_choice" not in body or body.get("tools"):
        return None
    return "tool_choice: tool_choice may only be specified while providing tools"


def tool_choice_of_absent_tool(body: Body, _terms: Terms) -> str | None:
    """A forced tool that is not defined."""
    name = body.get("tool_choice", {}).get("name")
    offered = {tool_name_of(tool) for tool in body.get("tools", [])}
    return None if name is None or name in offered else f"tool_choice: Tool '{name}' not found in provided tools"


def _forces(body: Body) -> bool:
    return body.get("tool_choice", {}).get("type") in FORCING


def forced_tool_with_thinking(body: Body, _terms: Terms) -> str | None:
    """A forced tool leaves no room for thinking."""
    if _forces(body) and thinking_type(body) in ("enabled", "adaptive", "between_tools"):
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def forced_tool_unsupported(body: Body, terms: Terms) -> str | None:
    """A forced tool on a model that always thinks."""
    if _forces(body) and not terms.profile.forced_tool_choice:
        return 'tool_choice: type "tool" and "any" are not supported for this model.'
    return None


def _strict_tools(body: Body) -> list[tuple[str, Block]]:
    return [(path, tool) for path, tool in _custom_tools(body) if tool.get("strict")]


def strict_schema_unsupported(body: Body, _terms: Terms) -> str | None:
    """A strict tool's schema outside the subset that structured outputs support."""
    for path, tool in _strict_tools(body):
        found = unsupported(tool["input_schema"])
        if found:
            return f"{path}: {found}"
    return None


def too_many_strict_parts(body: Body, _terms: Terms) -> str | None:
    """More strict tools, optional parameters or union types than the grammar compiler takes."""
    strict = [tool["input_schema"] for _, tool in _strict_tools(body)]
    if len(strict) > MAX_STRICT_TOOLS:
        return (
            f"Too many strict tools ({len(strict)}). The maximum number of strict tools supported is "
            f"{MAX_STRICT_TOOLS}. Try reducing the number of tools marked as strict."
        )
    optional, unions = sum(map(optional_parameters, strict)), sum(map(union_parameters, strict))
    if optional > MAX_OPTIONAL_PARAMETERS:
        return (
            f"Schemas contains too many optional parameters ({optional}), which would make grammar "
            f"compilation inefficient. Reduce the number of optional parameters in your tool schemas (limit: "
            f"{MAX_OPTIONAL_PARAMETERS})."
        )
    if unions > MAX_UNION_PARAMETERS:
        return (
            f"Schemas contains too many parameters with union types ({unions} parameters with type arrays or "
            f"anyOf). Reduce the number of parameters that use type arrays or anyOf (limit: "
            f"{MAX_UNION_PARAMETERS} parameters with unions)."
        )
    return None


def cache_control_on_deferred_tool(body: Body, _terms: Terms) -> str | None:
    """A tool that is loaded later cannot be cached now."""
    for tool in body.get("tools", []):
        if tool.get("defer_loading") and tool.get("cache_control"):
            return f"Tool '{tool_name_of(tool)}' cannot have both defer_loading=true and cache_control set."
    return None


def all_tools_deferred(body: Body, _terms: Terms) -> str | None:
    """At least one tool must be there from the start."""
    tools = body.get("tools") or [{}]
    if not all(tool.get("defer_loading") for tool in tools):
        return None
    return "At least one tool must have defer_loading=false."


RULES: tuple[Rule, ...] = (
    repeated_tool_names,
    combined_schema_at_the_top,
    invalid_input_schema,
    odd_property_key,
    tool_choice_without_tools,
    tool_choice_of_absent_tool,
    forced_tool_unsupported,
    forced_tool_with_thinking,
    too_many_strict_parts,
    strict_schema_unsupported,
    cache_control_on_deferred_tool,
    all_tools_deferred,
)
