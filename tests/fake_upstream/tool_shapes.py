"""The shapes of tool definitions and of tool_choice."""

from collections.abc import Mapping

from .block_shapes import CITATIONS_CONFIG, tool_name
from .shape import (
    BetaOnly,
    Check,
    Fields,
    anything,
    boolean,
    dictionary,
    integer,
    list_of,
    literal,
    nullable,
    record,
    string,
    tagged,
)
from .source_shapes import CACHEABLE

SHARED: Fields = {
    **CACHEABLE,
    "allowed_callers": list_of(
        literal("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521")
    ),
    "defer_loading": boolean,
    "strict": boolean,
}
EXAMPLES: Fields = {"input_examples": list_of(dictionary)}
INPUT_SCHEMA = record({"type": literal("object")}, open_ended=True)
CUSTOM = record(
    {"name": tool_name, "input_schema": INPUT_SCHEMA},
    {
        **SHARED,
        **EXAMPLES,
        "type": anything,
        "description": string(),
        "eager_input_streaming": nullable(boolean),
    },
)


def _server_tool(name: str, extra: Mapping[str, Check] | None = None, **required: Check) -> Check:
    return record({"type": anything, "name": literal(name), **required}, {**SHARED, **(extra or {})})


def _toolset(**required: Check) -> Check:
    optional: Fields = {**CACHEABLE, "configs": nullable(dictionary), "default_config": dictionary}
    return record({"type": anything, **required}, optional)


_DOMAINS: dict[str, Check] = {
    "allowed_domains": nullable(list_of(string())),
    "blocked_domains": nullable(list_of(string())),
    "max_uses": nullable(integer(above=0)),
}
_LOCATION = record(
    {"type": literal("approximate")},
    {name: nullable(string()) for name in ("city", "country", "region", "timezone")},
)
_INCLUSION: dict[str, Check] = {"response_inclusion": literal("full", "excluded")}
_SEARCH: dict[str, Check] = {**_DOMAINS, "user_location": nullable(_LOCATION)}
_FETCH: dict[str, Check] = {
    **_DOMAINS,
    "citations": nullable(CITATIONS_CONFIG),
    "max_content_tokens": nullable(integer(above=0)),
    "url_sources": nullable(dictionary),
}
_EDITOR: dict[str, Check] = {
    "input_examples": list_of(dictionary),
    "max_characters": nullable(integer(above=0)),
}
_EXAMPLES: dict[str, Check] = {"input_examples": list_of(dictionary)}
_COMPUTER = _server_tool(
    "computer",
    {**_EXAMPLES, "display_number": nullable(integer()), "enable_zoom": boolean},
    display_width_px=integer(above=0),
    display_height_px=integer(above=0),
)

TOOL_TYPES: dict[str, Check | BetaOnly] = {
    "custom": CUSTOM,
    "bash_20250124": _server_tool("bash", _EXAMPLES),
    "text_editor_20250124": _server_tool("str_replace_editor", _EXAMPLES),
    "text_editor_20250429": _server_tool("str_replace_based_edit_tool", _EXAMPLES),
    "text_editor_20250728": _server_tool("str_replace_based_edit_tool", _EDITOR),
    "memory_20250818": _server_tool("memory", _EXAMPLES),
    "web_search_20250305": _server_tool("web_search", _SEARCH),
    "web_search_20260209": _server_tool("web_search", _SEARCH),
    "web_search_20260318": _server_tool("web_search", {**_SEARCH, **_INCLUSION}),
    "web_fetch_20250910": _server_tool("web_fetch", _FETCH),
    "web_fetch_20260209": _server_tool("web_fetch", _FETCH),
    "web_fetch_20260309": _server_tool("web_fetch", {**_FETCH, "use_cache": boolean}),
    "web_fetch_20260318": _server_tool("web_fetch", {**_FETCH, **_INCLUSION, "use_cache": boolean}),
    **{
        f"code_execution_{date}": _server_tool("code_execution")
        for date in ("20250522", "20250825", "20260120", "20260521")
    },
    **{
        f"{name}{date}": _server_tool(name)
        for name in ("tool_search_tool_regex", "tool_search_tool_bm25")
        for date in ("", "_20251119")
    },
    "computer_toolset_20260801": _toolset(),
    "browser_toolset_20260801": _toolset(),
    "computer_20250124": BetaOnly("computer-use-2025-01-24", _COMPUTER),
    "computer_20251124": BetaOnly("computer-use-2025-11-24", _COMPUTER),
    "mcp_toolset": BetaOnly("mcp-client-", _toolset(mcp_server_name=string())),
}


TOOLS = list_of(tagged(TOOL_TYPES, default="custom"))
_PARALLEL: Fields = {"disable_parallel_tool_use": boolean}
TOOL_CHOICE = tagged(
    {
        "auto": record({"type": anything}, _PARALLEL),
        "any": record({"type": anything}, _PARALLEL),
        "tool": record({"type": anything, "name": string()}, _PARALLEL),
        "none": record({"type": anything}),
    }
)
