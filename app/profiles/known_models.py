"""How the known models and upstreams differ, as tables: families of models, versions, hosts -> profile fields."""

from __future__ import annotations

import re
from typing import Any

LOW_TO_HIGH = ("low", "medium", "high")
LOW_TO_MAX = ("low", "medium", "high", "max")
LOW_HIGH_MAX = ("low", "high", "max")
ALL_EFFORTS = ("low", "medium", "high", "xhigh", "max")

Features = dict[str, Any]
_Version = tuple[int, int]
_FIRST: _Version = (0, 0)
_LAST: _Version = (99, 99)

_NEWEST_CLAUDE: Features = {
    "sampling": "none",
    "thinking": ("adaptive",),
    "thinks_unasked": True,
    "thinking_display": True,
    "efforts": ALL_EFFORTS,
    "forced_tool_choice": False,
    "tool_name_length": 128,
    "prefill": False,
    "system_messages": True,
    "structured_outputs": True,
    "max_images": 100,
    "service_tier": True,
    "anthropic_extensions": True,
    "max_output_tokens": 128_000,
}
# (families, first version, last version, how they differ from the newest). A name that is not listed, a family or a
# version of tomorrow, counts as the newest. Source: Anthropic's models overview, extended thinking, effort and
# migration pages, the SDK's types and the `capabilities` of GET /v1/models.
_CLAUDE: tuple[tuple[str, _Version, _Version, Features], ...] = (
    (
        "haiku",
        (5, 0),
        _LAST,
        {"forced_tool_choice": True, "thinking": ("adaptive", "disabled"), "thinks_unasked": False},
    ),
    ("sonnet", (5, 5), (5, 5), {"thinking": ("adaptive", "between_tools")}),
    ("fable mythos", (5, 0), (5, 0), {"forced_tool_choice": True}),
    ("opus sonnet", (5, 0), (5, 0), {"forced_tool_choice": True, "thinking": ("adaptive", "disabled")}),
    (
        "",
        (4, 7),
        (4, 99),
        {"forced_tool_choice": True, "thinking": ("adaptive", "disabled"), "thinks_unasked": False},
    ),
    ("", (4, 7), (4, 7), {"system_messages": False}),
    (
        "",
        _FIRST,
        (4, 6),
        {
            "sampling": "one",
            "thinking": ("enabled", "disabled"),
            "thinks_unasked": False,
            "efforts": (),
            "forced_tool_choice": True,
            "prefill": True,
            "system_messages": False,
            "max_output_tokens": 64_000,
        },
    ),
    (
        "",
        (4, 6),
        (4, 6),
        {
            "thinking": ("enabled", "adaptive", "disabled"),
            "efforts": LOW_TO_MAX,
            "prefill": False,
            "max_output_tokens": 128_000,
        },
    ),
    ("opus", (4, 5), (4, 5), {"efforts": LOW_TO_HIGH}),
    ("", _FIRST, (4, 4), {"structured_outputs": False, "max_output_tokens": 32_000}),
    ("", _FIRST, (4, 0), {"sampling": "all"}),
    ("sonnet", (3, 7), (4, 0), {"max_output_tokens": 64_000}),
    ("", _FIRST, (3, 5), {"thinking": (), "max_output_tokens": 8_192}),
    ("", _FIRST, (3, 0), {"max_output_tokens": 4_096}),
)
_CLAUDE_NAME = re.compile(
    r"claude(?:-(?P<family>[a-z]{3,}))?(?:-v?(?P<major>\d{1,2})(?!\d)(?:-(?P<minor>\d{1,2})(?!\d))?)?"
    r"(?:-(?P<old_family>[a-z]{3,}))?"
)

_OPEN_WEIGHTS: Features = {
    "sampling": "all",
    "sampling_while_thinking": True,
    "unsigned_thinking": True,
    "loop_thinking": False,
    "http_urls": True,
}
_ALWAYS_THINKING: Features = {"thinking": ("enabled",), "thinks_unasked": True}
# Other families, wherever they are served; each matching row adds to those before it. Source: the pages on Anthropic
# compatibility of z.ai, DeepSeek and MiniMax, Kimi's error messages, the servers of llama.cpp, vLLM and Ollama.
_MODELS: tuple[tuple[str, Features], ...] = (
    (r"glm-|deepseek|kimi|moonshot|minimax|qwen|llama|mi[sx]tral|gemma|gpt-oss", _OPEN_WEIGHTS),
    (r"glm-|kimi|moonshot", {"thinks_unasked": True}),
    (r"glm-", {"max_output_tokens": 131_072}),
    (r"glm-4-5", {"max_output_tokens": 98_304}),
    # `This model always engages in thinking and cannot be disabled; please use low, high, or max`
    (r"glm-5", _ALWAYS_THINKING | {"efforts": LOW_HIGH_MAX}),
    # `content[].thinking … must be passed back`
    (r"deepseek", {"thinks_unasked": True, "loop_thinking": True, "efforts": LOW_HIGH_MAX}),
    (r"deepseek", {"max_output_tokens": 393_216, "cache_ttl": False}),
    (r"kimi|moonshot", {"verbatim_tool_ids": True, "zero_sampling": False}),
    # `invalid thinking: only type=enabled is allowed for this model`
    (r"kimi-.*cod", _ALWAYS_THINKING),
    (r"minimax", _ALWAYS_THINKING | {"zero_sampling": False, "stop_sequences": False}),
)
# Hosts that map any name, claude-* too, to models of their own: (host, the family that its models belong to).
_HOSTS: tuple[tuple[str, str], ...] = (
    (r"(^|\.)(z\.ai|bigmodel\.cn)(:\d+)?$", "glm-"),
    (r"(^|\.)deepseek\.com(:\d+)?$", "deepseek"),
    (r"(^|\.)(moonshot\.(ai|cn)|kimi\.com)(:\d+)?$", "kimi"),
    (r"(^|\.)minimaxi?\.(io|com)(:\d+)?$", "minimax"),
)
# What is kept at the API itself, whatever the model. A gateway in front of it need not lead back to the same place.
_ANTHROPIC_HOST = re.compile(r"(^|\.)anthropic\.com(:\d+)?$")
_ANTHROPIC: Features = {"message_threads": True}
# Ollama is known by its port alone.
_OLLAMA_PORT = re.compile(r":11434$")
_OLLAMA: Features = _OPEN_WEIGHTS | {"image_urls": False, "efforts": LOW_TO_HIGH}


def features(host: str, model: str) -> Features:
    """The fields in which the profile of `model` at `host` differs from the default."""
    name = model.lower().replace(".", "-")
    family = next((family for pattern, family in _HOSTS if re.search(pattern, host)), None)
    claude = _CLAUDE_NAME.search(name)
    found: Features = {}
    if claude and family is None:
        found = _claude_features(claude)
    names = [family, name] if family and not claude else [family or name]
    for pattern, added in _MODELS:
        if any(re.search(pattern, candidate) for candidate in names):
            found = found | added
    if _ANTHROPIC_HOST.search(host):
        found = found | _ANTHROPIC
    return found | _OLLAMA if _OLLAMA_PORT.search(host) else found


def _claude_features(name: re.Match[str]) -> Features:
    family = name["old_family"] if name["old_family"] in _FAMILIES else name["family"]
    known = family is None or family in _FAMILIES
    version = (int(name["major"] or 99), int(name["minor"] or 0)) if known else _LAST
    found = _NEWEST_CLAUDE
    for families, first, last, differences in _CLAUDE:
        if first <= version <= last and (not families or family in families.split()):
            found = found | differences
    return found


_FAMILIES = {"opus", "sonnet", "haiku", "fable", "mythos", "instant"}
