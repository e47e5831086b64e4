"""The shapes of message content blocks, as Anthropic's Messages API reference and SDK types list them."""

from typing import Any

from .shape import (
    BetaOnly,
    Check,
    anything,
    boolean,
    dictionary,
    list_of,
    literal,
    nullable,
    record,
    string,
    tagged,
    text_or,
)
from .source_shapes import CACHEABLE, CITATION, FILE_SOURCE, IMAGE_SOURCE, URL_SOURCE
from .terms import Terms

ID_PATTERN = "^[a-zA-Z0-9_-]+$"

CITATIONS_CONFIG = record({}, {"enabled": boolean})
CALLER = tagged(
    {
        "direct": record({"type": anything}),
        "code_execution_20250825": record({"type": anything, "tool_id": string()}),
        "code_execution_20260120": record({"type": anything, "tool_id": string()}),
    }
)


def tool_id(value: Any, path: str, terms: Terms) -> str | None:
    """The id of a tool call: Anthropic's own alphabet, except where the upstream issues other ids itself."""
    return string(None if terms.profile.any_tool_id else ID_PATTERN)(value, path, terms)


def tool_name(value: Any, path: str, terms: Terms) -> str | None:
    """A tool's name, as long as the model allows."""
    return string(f"^[a-zA-Z0-9_-]{{1,{terms.profile.tool_name_length}}}$")(value, path, terms)


TEXT = record({"type": anything, "text": string()}, {**CACHEABLE, "citations": nullable(list_of(CITATION))})
TEXT_ONLY = tagged({"text": TEXT})

IMAGE = record(
    {"type": anything, "source": IMAGE_SOURCE},
    {**CACHEABLE, "transformations": nullable(record({}, {"oversized_image": literal("downsize", "error")}))},
)
DOCUMENT_SOURCE = tagged(
    {
        "base64": record({"type": anything, "media_type": literal("application/pdf"), "data": string()}),
        "text": record({"type": anything, "media_type": literal("text/plain"), "data": string()}),
        "content": record({"type": anything, "content": text_or(tagged({"text": TEXT, "image": IMAGE}))}),
        "url": URL_SOURCE,
        "file": FILE_SOURCE,
    }
)
DOCUMENT = record(
    {"type": anything, "source": DOCUMENT_SOURCE},
    {
        **CACHEABLE,
        "title": nullable(string()),
        "context": nullable(string()),
        "citations": nullable(CITATIONS_CONFIG),
    },
)
SEARCH_RESULT = record(
    {"type": anything, "source": string(), "title": string(), "content": list_of(TEXT_ONLY)},
    {**CACHEABLE, "citations": CITATIONS_CONFIG},
)
TOOL_REFERENCE = record({"type": anything, "tool_name": string()}, CACHEABLE)
BROWSER_STATE = record(
    {"type": anything, "tabs": list_of(dictionary)},
    {**CACHEABLE, "state_changes": nullable(list_of(dictionary))},
)
TOOL_RESULT = record(
    {"type": anything, "tool_use_id": tool_id},
    {
        **CACHEABLE,
        "content": text_or(
            tagged(
                {
                    "text": TEXT,
                    "image": IMAGE,
                    "search_result": SEARCH_RESULT,
                    "document": DOCUMENT,
                    "tool_reference": TOOL_REFERENCE,
                    "browser_state": BROWSER_STATE,
                }
            )
        ),
        "is_error": boolean,
        "toolset_name": nullable(string()),
    },
)
TOOL_USE = record(
    {"type": anything, "id": tool_id, "name": tool_name, "input": dictionary},
    {**CACHEABLE, "caller": CALLER, "toolset_name": nullable(string())},
)


def signature(value: Any, path: str, terms: Terms) -> str | None:
    """A thinking block's signature; null is reported one level deeper, as observed."""
    return string()(value, path if value is not None else f"{path}.str", terms)


_SIGNED_THINKING = record({"type": anything, "thinking": string(), "signature": signature})
_UNSIGNED_THINKING = record({"type": anything, "thinking": string()}, {"signature": nullable(string())})


def thinking(value: Any, path: str, terms: Terms) -> str | None:
    """A thinking block; only upstreams that sign their thinking ask for the signature."""
    shape = _SIGNED_THINKING if terms.profile.verifies_signatures else _UNSIGNED_THINKING
    return shape(value, path, terms)


SERVER_TOOLS = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search_tool_regex",
    "tool_search_tool_bm25",
)
SERVER_TOOL_ID = string("^srvtoolu_[a-zA-Z0-9_]+$")
SERVER_TOOL_USE = record(
    {"type": anything, "id": SERVER_TOOL_ID, "name": literal(*SERVER_TOOLS), "input": dictionary},
    {**CACHEABLE, "caller": CALLER},
)
WEB_SEARCH_RESULT = tagged(
    {
        "web_search_result": record(
            {"type": anything, "url": string(), "title": string(), "encrypted_content": string()},
            {"page_age": nullable(string())},
        )
    }
)


def web_search_content(value: Any, path: str, terms: Terms) -> str | None:
    """A list of results, or one error object."""
    if isinstance(value, dict):
        return record({"type": literal("web_search_tool_result_error"), "error_code": string()})(value, path, terms)
    return list_of(WEB_SEARCH_RESULT)(value, path, terms)


def _server_result(content: Check) -> Check:
    return record(
        {"type": anything, "tool_use_id": SERVER_TOOL_ID, "content": content}, {**CACHEABLE, "caller": CALLER}
    )


SERVER_RESULTS = {
    "web_search_tool_result": _server_result(web_search_content),
    "web_fetch_tool_result": _server_result(dictionary),
    "code_execution_tool_result": _server_result(dictionary),
    "bash_code_execution_tool_result": _server_result(dictionary),
    "text_editor_code_execution_tool_result": _server_result(dictionary),
    "tool_search_tool_result": _server_result(dictionary),
}
MCP = "mcp-client-"
BLOCKS: dict[str, Check | BetaOnly] = {
    "text": TEXT,
    "image": IMAGE,
    "document": DOCUMENT,
    "search_result": SEARCH_RESULT,
    "tool_use": TOOL_USE,
    "tool_result": TOOL_RESULT,
    "thinking": thinking,
    "redacted_thinking": record({"type": anything, "data": string()}),
    "server_tool_use": SERVER_TOOL_USE,
    **SERVER_RESULTS,
    "container_upload": record({"type": anything, "file_id": string()}, CACHEABLE),
    "mcp_tool_use": BetaOnly(
        MCP,
        record(
            {
                "type": anything,
                "id": string(),
                "name": string(),
                "server_name": string(),
                "input": dictionary,
            },
            CACHEABLE,
        ),
    ),
    "mcp_tool_result": BetaOnly(
        MCP,
        record(
            {"type": anything, "tool_use_id": string()},
            {**CACHEABLE, "content": anything, "is_error": boolean},
        ),
    ),
    "compaction": BetaOnly(
        "compact-",
        record({"type": anything, "content": nullable(string())}, {**CACHEABLE, "signature": anything}),
    ),
}
CONTENT = text_or(tagged(BLOCKS))
