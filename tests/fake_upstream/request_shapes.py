"""The shapes of a Messages request and of a count_tokens request: fields, types, bounds, beta fields."""

from typing import Any

from .block_shapes import CONTENT, TEXT_ONLY
from .shape import (
    BetaOnly,
    Fields,
    anything,
    boolean,
    dictionary,
    integer,
    list_of,
    literal,
    nullable,
    number,
    record,
    string,
    tagged,
    text_or,
)
from .source_shapes import CACHE_CONTROL
from .terms import Terms
from .tool_shapes import TOOL_CHOICE, TOOLS


def role(value: Any, path: str, _terms: Terms) -> str | None:
    """user or assistant; `system` has a rule of its own, because some models take it."""
    if isinstance(value, str) and value in ("user", "assistant", "system"):
        return None
    return f"{path}: Input should be 'user' or 'assistant'"


def max_tokens(value: Any, path: str, terms: Terms) -> str | None:
    """An integer of 1 or more; whether 0 may stand depends on the rest of the request."""
    return None if value == 0 and value is not False else integer(least=1)(value, path, terms)


MESSAGE = record({"role": role, "content": CONTENT}, otherwise="Input does not match the expected shape.")


def display(value: Any, path: str, terms: Terms) -> str | None:
    """How thinking is shown; `updates` belongs to a beta."""
    values = ["summarized", "omitted", *(["updates"] if terms.has_beta("thinking-display-updates-") else [])]
    return nullable(literal(*values))(value, path, terms)


DISPLAY: Fields = {"display": display}
BINDING = BetaOnly(
    "thinking-binding-controls-",
    nullable(record({}, {"prefix_mismatch_behavior": nullable(literal("error", "drop_block"))})),
)
_BUDGET = {"budget_tokens": integer(least=1024)}
_ENABLED = record({"type": anything, **_BUDGET}, {**DISPLAY, "block_binding": BINDING})
_ENABLED_WITHOUT_BUDGET = record({"type": anything}, {**DISPLAY, **_BUDGET})


def enabled_thinking(value: Any, path: str, terms: Terms) -> str | None:
    """Thinking with a budget, which some upstreams let you leave out."""
    return (_ENABLED if terms.profile.budget_required else _ENABLED_WITHOUT_BUDGET)(value, path, terms)


_THINKING_TYPES: Fields = {
    "adaptive": record({"type": anything}, {**DISPLAY, "block_binding": BINDING}),
    "disabled": record({"type": anything}),
    "enabled": enabled_thinking,
}
_THINKING = tagged(_THINKING_TYPES)
_THINKING_BETWEEN_TOOLS = tagged({**_THINKING_TYPES, "between_tools": record({"type": anything})})


def thinking_config(value: Any, path: str, terms: Terms) -> str | None:
    """The thinking setting; `between_tools` is known to the models that offer it alone."""
    between_tools = "between_tools" in terms.profile.thinking_types
    return (_THINKING_BETWEEN_TOOLS if between_tools else _THINKING)(value, path, terms)


def container(value: Any, path: str, terms: Terms) -> str | None:
    """A container's id, or its id and skills."""
    if isinstance(value, dict):
        return record({}, {"id": nullable(string()), "skills": nullable(list_of(dictionary))})(value, path, terms)
    return nullable(string())(value, path, terms)


JSON_FORMAT = tagged({"json_schema": record({"type": anything, "schema": dictionary})})
OUTPUT_CONFIG = record(
    {},
    {
        "effort": nullable(literal("low", "medium", "high", "xhigh", "max")),
        "format": nullable(JSON_FORMAT),
        "task_budget": BetaOnly(
            "task-budgets-",
            nullable(
                record(
                    {"type": literal("tokens"), "total": integer(least=20_000)},
                    {"remaining": nullable(integer(least=0))},
                )
            ),
        ),
    },
)
MCP_SERVER = record(
    {"type": literal("url"), "name": string(), "url": string()},
    {"authorization_token": nullable(string()), "tool_configuration": nullable(dictionary)},
)
_SHARED: Fields = {
    "cache_control": CACHE_CONTROL,
    "output_config": OUTPUT_CONFIG,
    "speed": nullable(literal("standard", "fast")),
    "system": text_or(TEXT_ONLY),
    "thinking": thinking_config,
    "tool_choice": TOOL_CHOICE,
    "tools": TOOLS,
    "mcp_servers": BetaOnly("mcp-client-", list_of(MCP_SERVER)),
    "context_management": BetaOnly("context-management-", nullable(record({}, {"edits": list_of(dictionary)}))),
    "output_format": BetaOnly("structured-outputs-", nullable(JSON_FORMAT)),
}
MESSAGES_REQUEST = record(
    {"model": string(shortest=1), "messages": list_of(MESSAGE), "max_tokens": max_tokens},
    {
        **_SHARED,
        "container": container,
        "diagnostics": nullable(record({}, {"previous_message_id": nullable(string())})),
        "inference_geo": nullable(string()),
        "metadata": record({}, {"user_id": nullable(string(longest=512))}),
        "service_tier": literal("auto", "standard_only"),
        "stop_sequences": list_of(string()),
        "stream": boolean,
        "temperature": number(least=0, most=1),
        "top_p": number(least=0, most=1),
        "top_k": integer(least=0),
        "compaction": BetaOnly("compact-", nullable(dictionary)),
        "fallbacks": BetaOnly("server-side-fallback-", nullable(list_of(dictionary))),
        "fallback_credit_token": BetaOnly("fallback-credit-", nullable(anything)),
        "thread": BetaOnly("message-threads-", nullable(dictionary)),
    },
)
COUNT_REQUEST = record({"model": string(shortest=1), "messages": list_of(MESSAGE)}, _SHARED)
