"""What an upstream and a model accept, as data: no feature is gated by an `if` on a model's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

LOW_TO_HIGH = ("low", "medium", "high")
LOW_TO_MAX = ("low", "medium", "high", "max")
ALL_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class Profile:
    """The features of one upstream and model. The defaults suit an unknown one: what the strictest legacy model takes."""

    sampling: str = "one"
    """`all`; `one`: temperature or top_p, not both; `none`: temperature, top_p and top_k are refused."""
    thinking: tuple[str, ...] = ("enabled", "disabled")
    """The `thinking.type` values taken."""
    thinks_unasked: bool = False
    """Whether the model thinks when `thinking` is left out."""
    thinking_display: bool = False
    """Whether `thinking.display` is taken: newer Claude models leave the thinking text out unless asked for it."""
    sampling_while_thinking: bool = False
    """Whether temperature, top_p and top_k are taken together with thinking."""
    efforts: tuple[str, ...] = ()
    """The `output_config.effort` levels taken, lowest first; empty: the parameter is refused."""
    thinking_replay: bool = True
    """Whether earlier thinking blocks are sent back at all."""
    unsigned_thinking: bool = False
    """Whether a thinking block without signature is taken back."""
    forced_tool_choice: bool = True
    forced_tool_choice_while_thinking: bool = False
    tool_choice_none: bool = True
    tool_name_length: int = 64
    verbatim_tool_ids: bool = False
    """Whether the upstream's own tool ids must come back unchanged, whatever their characters."""
    prefill: bool = True
    system_messages: bool = False
    """Whether `role: system` is taken in the middle of the conversation."""
    structured_outputs: bool = False
    """Whether `output_config.format` and `strict` tools are taken."""
    cache_control: bool = True
    cache_ttl: bool = True
    image_urls: bool = True
    stop_sequences: bool = True
    service_tier: bool = False
    web_search: bool = False
    max_output_tokens: int = 0
    """The largest `max_tokens` taken; 0: unknown."""

    @property
    def always_thinks(self) -> bool:
        return self.thinks_unasked and "disabled" not in self.thinking and "between_tools" not in self.thinking


_CLAUDE = {
    "tool_name_length": 128,
    "structured_outputs": True,
    "service_tier": True,
    "web_search": True,
    "max_output_tokens": 128_000,
    "sampling": "none",
    "prefill": False,
    "efforts": ALL_EFFORTS,
    "thinking_display": True,
}
_OPEN_WEIGHTS = {
    "sampling": "all",
    "unsigned_thinking": True,
    "sampling_while_thinking": True,
    "thinking_display": False,
}

_RULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    # An unknown Claude is taken for a new one; the older families are the exceptions. Source: Anthropic's model
    # overview, the SDK's types and `GET /v1/models` capabilities.
    (
        "",
        r"claude",
        _CLAUDE
        | {
            "thinking": ("adaptive",),
            "thinks_unasked": True,
            "forced_tool_choice": False,
            "system_messages": True,
        },
    ),
    ("", r"claude-haiku-5", {"forced_tool_choice": True}),
    ("", r"claude-sonnet-5-5\b", {"thinking": ("adaptive", "between_tools")}),
    ("", r"claude-(fable|mythos)-5(?!-\d\b)", {"forced_tool_choice": True}),
    (
        "",
        r"claude-(opus|sonnet)-5(?!-\d\b)",
        {"forced_tool_choice": True, "thinking": ("adaptive", "disabled")},
    ),
    (
        "",
        r"claude-opus-4-[78]\b",
        {"forced_tool_choice": True, "thinking": ("adaptive", "disabled"), "thinks_unasked": False},
    ),
    ("", r"claude-opus-4-7\b", {"system_messages": False}),
    (
        "",
        r"claude-(opus|sonnet|haiku)-4(?!-[78]\b)|claude-3|claude-2|claude-instant",
        {
            "forced_tool_choice": True,
            "thinking": ("enabled", "disabled"),
            "thinks_unasked": False,
            "system_messages": False,
            "sampling": "one",
        },
    ),
    (
        "",
        r"claude-(opus|sonnet)-4-6\b",
        {"thinking": ("enabled", "adaptive", "disabled"), "efforts": LOW_TO_MAX},
    ),
    (
        "",
        r"claude-(opus|sonnet|haiku)-4-5\b",
        {"prefill": True, "efforts": (), "max_output_tokens": 64_000},
    ),
    ("", r"claude-opus-4-5\b", {"efforts": LOW_TO_HIGH}),
    (
        "",
        r"claude-(opus|sonnet)-4(-1)?(?!-\d\b)|claude-3|claude-2|claude-instant",
        {"prefill": True, "efforts": (), "structured_outputs": False, "max_output_tokens": 32_000},
    ),
    ("", r"claude-sonnet-4(?!-\d\b)|claude-3-7", {"max_output_tokens": 64_000}),
    ("", r"claude-3-5|claude-3-(opus|haiku|sonnet)", {"thinking": (), "max_output_tokens": 8_192}),
    ("", r"claude-3-(opus|haiku|sonnet)", {"max_output_tokens": 4_096}),
    # Other families, wherever they are served.
    ("", r"\bglm-", _OPEN_WEIGHTS | {"thinks_unasked": True}),
    ("", r"\bglm-5", {"thinking": ("enabled", "adaptive"), "efforts": LOW_TO_HIGH}),
    ("", r"deepseek", _OPEN_WEIGHTS | {"efforts": ("low", "high", "max"), "max_output_tokens": 393_216}),
    ("", r"\bkimi-|moonshot", _OPEN_WEIGHTS | {"verbatim_tool_ids": True}),
    ("", r"\bkimi-k2-7-code", {"thinking": ("enabled",), "thinks_unasked": True}),
    ("", r"minimax", _OPEN_WEIGHTS | {"thinking": ("enabled",), "thinks_unasked": True}),
    ("", r"qwen|llama|mistral|gemma|gpt-oss", _OPEN_WEIGHTS),
    # Hosts that say more than the model's name, because they map claude-* names to models of their own.
    (r"(^|\.)z\.ai$|bigmodel\.cn$", "", _OPEN_WEIGHTS | {"service_tier": False, "web_search": False}),
    (
        r"(^|\.)z\.ai$|bigmodel\.cn$",
        r"claude",
        {
            "thinking": ("enabled", "disabled"),
            "efforts": (),
            "prefill": True,
            "forced_tool_choice": True,
            "structured_outputs": False,
            "system_messages": False,
            "tool_name_length": 64,
        },
    ),
    (
        r"deepseek\.com$|moonshot\.(ai|cn)$|kimi\.com$|minimax(i)?\.(io|com)$",
        "",
        _OPEN_WEIGHTS
        | {
            "prefill": True,
            "forced_tool_choice": True,
            "structured_outputs": False,
            "system_messages": False,
            "service_tier": False,
            "web_search": False,
            "tool_name_length": 64,
        },
    ),
    (
        r"deepseek\.com$",
        "",
        {"thinking": ("enabled", "disabled"), "efforts": ("low", "high", "max"), "cache_ttl": False},
    ),
    (r"moonshot\.(ai|cn)$|kimi\.com$", "", {"verbatim_tool_ids": True}),
    (r"minimax(i)?\.(io|com)$", "", {"thinking": ("enabled",), "efforts": (), "stop_sequences": False}),
    # Ollama is known by its port alone.
    (r":11434$", "", _OPEN_WEIGHTS | {"image_urls": False, "efforts": LOW_TO_HIGH}),
)


@lru_cache(maxsize=1024)
def profile_for(host: str, model: str) -> Profile:
    """The built-in profile of `model` at `host` (`api.z.ai`; a port other than the scheme's own is kept)."""
    name = model.lower().replace(".", "-")
    changes: dict[str, Any] = {}
    for host_pattern, model_pattern, features in _RULES:
        if re.search(host_pattern, host) and re.search(model_pattern, name):
            changes |= features
    return Profile(**changes)


def overridden(profile: Profile, model: str, overrides: Mapping[str, Mapping[str, Any]]) -> Profile:
    """`profile` with the operator's changes: model name pattern (`*` stands for anything) -> fields.

    Raises ValueError naming a field that no profile has, or a value of the wrong type.
    """
    for pattern, changes in overrides.items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), model):
            profile = replace(profile, **_checked(pattern, changes))
    return profile


def _checked(pattern: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    known = {item.name: item.default for item in fields(Profile)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        value = tuple(value) if isinstance(value, list) else value
        if name not in known or type(value) is not type(known[name]):
            raise ValueError(f"{pattern}.{name}: no such profile field, or not of its type")
        values[name] = value
    return values
