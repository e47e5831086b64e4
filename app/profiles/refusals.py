"""The phrases in which upstreams refuse a field or feature, and what each teaches of the upstream's profile.

They are those of the real API and of the compatible ones, as observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from app.profiles.known_models import ALL_EFFORTS
from app.profiles.profile import Profile

Changes = dict[str, Any]
Teaching = Callable[[re.Match[str], Profile], Changes]
_DISPENSABLE = (
    "metadata|service_tier|stop_sequences|container|mcp_servers|context_management|thinking|output_config|tool_choice"
)
"""Top-level fields that can be left out without losing what the conversation says."""


def _fixed(**changes: Any) -> Teaching:
    return lambda _, __: changes


def _without(match: re.Match[str], profile: Profile) -> Changes:
    refused = match.group(1)
    kinds = tuple(kind for kind in profile.thinking if kind != refused)
    if refused == "enabled":
        kinds = kinds if "adaptive" in kinds else ("adaptive", *kinds)
        return {"thinking": kinds, "efforts": profile.efforts or ALL_EFFORTS}
    if refused == "adaptive":
        # The newest Claude is assumed to think by itself; one that does not know `adaptive` is none of them.
        return {"thinking": kinds or ("enabled", "disabled"), "thinks_unasked": False}
    return {"thinking": kinds}


def _always_thinking(match: re.Match[str], profile: Profile) -> Changes:
    kinds = tuple(kind for kind in profile.thinking if kind == "enabled")
    named = match.groupdict().get("levels")
    efforts = _named_efforts(named) if named else profile.efforts
    return {"thinking": kinds, "thinks_unasked": True, "efforts": efforts}


def _efforts(match: re.Match[str], _: Profile) -> Changes:
    return {"efforts": _named_efforts(match.group(1))}


def _named_efforts(text: str) -> tuple[str, ...]:
    named = re.findall(r"\w+", text)
    return tuple(level for level in ALL_EFFORTS if level in named)


def _max_output(match: re.Match[str], _: Profile) -> Changes:
    return {"max_output_tokens": int(match.group(1))}


def _room_left(match: re.Match[str], profile: Profile) -> Changes:
    room = int(match.group(2)) - int(match.group(1))
    return {"max_output_tokens": room if room > 0 else profile.max_output_tokens}


def _name_length(match: re.Match[str], _: Profile) -> Changes:
    return {"tool_name_length": int(match.group(1) or match.group(2))}


def _refused_field(match: re.Match[str], profile: Profile) -> Changes:
    return {"refused_fields": tuple(dict.fromkeys((*profile.refused_fields, match.group(1))))}


_ONCE = False
"""Says something of this conversation, not of the model."""
# (what is refused, phrase, what it teaches, whether it holds for the model). The first phrase that teaches something
# beyond the profile counts; `{0}` in a name is the phrase's first group.
REFUSALS: tuple[tuple[str, str, Teaching, bool], ...] = (
    (
        "tool loops without their thinking",
        r"Expected `?thinking`?|must start with a thinking block|must be passed back|reasoning_content is missing",
        _fixed(loop_thinking=True),
        True,
    ),
    (
        "thinking blocks",
        r"Expected `?thinking`?|must start with a thinking block|must be passed back|Invalid `?(signature|data)`? in|"
        r"signature: (Field required|Extra inputs)|signature\.str|cannot be modified|bound to a different conversation|"
        r"must contain thinking",
        _fixed(thinking_replay=False),
        _ONCE,
    ),
    (
        "thinking blocks",
        r"content\.\d+: Input tag '(?:redacted_)?thinking' found",
        _fixed(thinking_replay=False),
        True,
    ),
    (
        "sampling",
        r"\b(temperature|top_p|top_k)\b`? is deprecated",
        _fixed(sampling="none"),
        True,
    ),
    ("{0}", r"\b(temperature|top_p|top_k)\b`?(?:: Extra inputs| is not supported)", _refused_field, True),
    ("temperature with top_p", r"`?temperature`? and `?top_p`? cannot both", _fixed(sampling="one"), True),
    (
        "sampling while thinking",
        r"\b(temperature|top_p|top_k)\b`? (may only|must be).*thinking is enabled",
        _fixed(sampling_while_thinking=False),
        True,
    ),
    ("thinking.type.{0}", r'"?thinking\.type\.(enabled|disabled|between_tools)"? is not supported', _without, True),
    ("thinking.type.{0}", r"\bthinking: Input tag '(enabled|disabled|between_tools)' found", _without, True),
    ("thinking.type.{0}", r"(?:Input tag '|\b)(adaptive)(?:' found| thinking is not supported)", _without, True),
    (
        "thinking.type.disabled",
        r"always engages in thinking(.*please use (?P<levels>[\w, ]+))?|only type=enabled is allowed",
        _always_thinking,
        True,
    ),
    (
        "thinking",
        r"^thinking: Extra inputs|(does not|doesn't) support thinking\b",
        _fixed(thinking=(), thinks_unasked=False, efforts=()),
        True,
    ),
    ("thinking.display", r"thinking[.\w]*\.display: Extra inputs", _fixed(thinking_display=False), True),
    ("output_config.effort", r"effort level '\w+'\. Supported levels: ([\w, ]+)", _efforts, True),
    ("output_config.effort", r"output_config\.effort: Input should be ([\w', ]+)", _efforts, True),
    (
        "output_config.effort",
        r"does not support the effort parameter|output_config\.effort: Extra inputs",
        _fixed(efforts=()),
        True,
    ),
    ("output_config", r"\boutput_config: Extra inputs", _fixed(efforts=(), structured_outputs=False), True),
    (
        "forced tool_choice while thinking",
        r"Thinking may not be enabled when tool_choice|Thinking mode does not support this tool_choice",
        _fixed(forced_tool_choice_while_thinking=False, thinks_unasked=True),
        True,
    ),
    (
        "forced tool_choice",
        r"tool_choice\b.* not supported for this model|does not support this tool_choice|when tool_choice forces",
        _fixed(forced_tool_choice=False),
        True,
    ),
    ("tool_choice none", r"tool_choice\b.*'none'", _fixed(tool_choice_none=False), True),
    (
        "prefill",
        r"does not support assistant message prefill|must end with a user message|prefilling the final assistant",
        _fixed(prefill=False),
        True,
    ),
    (
        "system messages",
        r"role.{0,3}system.{0,3} is not supported|Unexpected role .?system|unknown variant .?system|"
        r"messages\.\d+\.role: Input should be|invalid message role: system|a 'system' message must follow",
        _fixed(system_messages=False),
        True,
    ),
    (
        "structured outputs",
        r"Too many strict tools|Schemas? contains? too many|Compiled grammar|Grammar compilation|"
        r"must be explicitly set to false|output_config\.format\.schema: ",
        _fixed(structured_outputs=False),
        _ONCE,
    ),
    (
        "structured outputs",
        r"output_config\.format|does not support output format|strict: Extra inputs",
        _fixed(structured_outputs=False),
        True,
    ),
    ("cache_control.ttl", r"cache_control\.[\w.]*ttl|cache_control.*\bttl\b.*not", _fixed(cache_ttl=False), True),
    ("cache_control", r"cache_control: Extra inputs|cache_control is not supported", _fixed(cache_control=False), True),
    ("max_tokens", r"max_tokens: \d+ > (\d{1,9})\b", _max_output, True),
    (
        "max_tokens",
        r"max_tokens\b.{0,60}(?:less than or equal to|at most|<=|\[1, ?) ?(\d{1,9})\b",
        _max_output,
        True,
    ),
    ("max_tokens", r"exceed context limit: (\d{1,9}) \+ \d+ > (\d{1,9})\b", _room_left, _ONCE),
    ("service_tier", r"\bservice_tier: ", _fixed(service_tier=False), True),
    (
        "server tools",
        r"Input tag '(web_search|web_fetch|code_execution)\w*'|web_search\w* (tool )?is not (supported|enabled)",
        _fixed(anthropic_extensions=False),
        True,
    ),
    ("stop_sequences", r"\bstop_sequences: Extra inputs", _fixed(stop_sequences=False), True),
    ("tool ids", r"tool_use(_id|\.id): String should match pattern", _fixed(verbatim_tool_ids=False), True),
    (
        "long tool names",
        r"name: String should (?:match pattern '[^']*\{1,(\d{1,3})\}|have at most (\d{1,3}) )",
        _name_length,
        True,
    ),
    (
        "tools[].{0}",
        r"tools\.\d+[\w.]*\.(defer_loading|eager_input_streaming|allowed_callers|input_examples): Extra inputs",
        _refused_field,
        True,
    ),
    ("metadata", r"^(metadata)\.\w+: ", _refused_field, True),
    ("{0}", rf"^(?:body\.)?({_DISPENSABLE}): (?:Extra inputs|extra fields)", _refused_field, True),
    (
        "{0}",
        r"Un(?:known parameter|recognized request argument supplied|supported parameter)"
        rf"[^'`\w]*['`]?({_DISPENSABLE})\b",
        _refused_field,
        True,
    ),
)
