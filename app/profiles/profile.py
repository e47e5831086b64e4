"""What an upstream and a model accept, as data: no feature is gated by an `if` on a model's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from app.profiles.known_models import ALL_EFFORTS, features


@dataclass(frozen=True)
class Profile:
    """The features of one upstream and model. The defaults suit an unknown one: the strictest legacy model's."""

    sampling: str = "one"
    """`all`; `one`: temperature or top_p, not both; `none`: temperature, top_p and top_k are refused."""
    zero_sampling: bool = True
    """Whether temperature 0 and top_p 0 are taken; elsewhere both must be above 0."""
    sampling_while_thinking: bool = False
    """Whether temperature, top_p and top_k are taken together with thinking."""
    thinking: tuple[str, ...] = ("enabled", "disabled")
    """The `thinking.type` values taken."""
    thinks_unasked: bool = False
    """Whether the model thinks when `thinking` is left out."""
    thinking_display: bool = False
    """Whether `thinking.display` is taken: newer Claude models leave the thinking text out unless asked for it."""
    efforts: tuple[str, ...] = ()
    """The `output_config.effort` levels taken, lowest first; empty: the parameter is refused."""
    thinking_replay: bool = True
    """Whether earlier thinking blocks are sent back at all."""
    unsigned_thinking: bool = False
    """Whether a thinking block without signature is taken back."""
    loop_thinking: bool = True
    """Whether an open tool loop must begin with its thinking while thinking is `enabled`, or the request is refused."""
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
    http_urls: bool = False
    """Whether media may be given by http:// URL; Anthropic: `Only HTTPS URLs are supported.`"""
    max_images: int = 0
    """Most images in a request; 0: unknown."""
    stop_sequences: bool = True
    service_tier: bool = False
    anthropic_extensions: bool = False
    """Whether Anthropic's own tools and fields are known: server tools, mcp_servers, container, context_management."""
    message_threads: bool = False
    """Whether the upstream keeps conversations, so that a request may carry only what is new (`thread`)."""
    max_output_tokens: int = 0
    """The largest `max_tokens` taken; 0: unknown."""
    refused_fields: tuple[str, ...] = ()
    """Top-level fields, and fields of tools, that the upstream was seen to refuse; they are left out."""

    @property
    def always_thinks(self) -> bool:
        return self.thinks_unasked and "disabled" not in self.thinking and "between_tools" not in self.thinking


class ProfileError(ValueError):
    """An override names no field, or a value that the field cannot have; the text says which."""


@lru_cache(maxsize=1024)
def profile_for(host: str, model: str) -> Profile:
    """The built-in profile of `model` at `host` (`api.z.ai`; a port other than the scheme's own is kept).

    Dates, vendor prefixes (`anthropic/`, `us.anthropic.`), suffixes such as `[1m]` and dots in versions don't matter.
    """
    return Profile(**features(host, model))


def overridden(profile: Profile, model: str, overrides: Mapping[str, Mapping[str, Any]]) -> Profile:
    """`profile` with the operator's changes: model name pattern (`*` stands for anything) -> fields.

    Raises ProfileError.
    """
    for pattern, changes in overrides.items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), model):
            profile = replace(profile, **_checked(pattern, changes))
    return profile


_WORDS = {
    "sampling": {"all", "one", "none"},
    "thinking": {"enabled", "disabled", "adaptive", "between_tools"},
    "efforts": set(ALL_EFFORTS),
}
_RENAMED = {"web_search": "anthropic_extensions"}


def _checked(pattern: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` with arrays as tuples. Raises ProfileError."""
    known = {item.name: item.default for item in fields(Profile)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name in _RENAMED:
            raise ProfileError(f"{pattern}.{name}: this field is called {_RENAMED[name]} now")
        value = tuple(value) if isinstance(value, list) else value
        if name not in known or type(value) is not type(known[name]):
            raise ProfileError(f"{pattern}.{name}: no such profile field, or not of its type")
        words = value if isinstance(value, tuple) else (value,)
        if name in _WORDS and not all(isinstance(word, str) and word in _WORDS[name] for word in words):
            raise ProfileError(f"{pattern}.{name}: expected {', '.join(sorted(_WORDS[name]))}")
        values[name] = value
    return values
