"""What an upstream taught us: a 400 that names a refused feature -> the profile without it, remembered per model.

The phrases are those of the real API and of the compatible ones, as observed; a 400 has no effect, so asking once more
without the feature is safe.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app.profiles import ALL_EFFORTS, Profile

Changes = dict[str, Any]
_logger = logging.getLogger("anthropic_proxy.lessons")


@dataclass(frozen=True)
class Lesson:
    """`changes` to the profile; `lasting` ones hold for the model, the others for one conversation only."""

    name: str
    changes: Changes
    lasting: bool = True


def _without(kind: str) -> Callable[[re.Match[str], Profile], Changes]:
    return lambda _, profile: {"thinking": tuple(known for known in profile.thinking if known != kind)}


def _fixed(**changes: Any) -> Callable[[re.Match[str], Profile], Changes]:
    return lambda _, __: changes


def _adaptive(_: re.Match[str], profile: Profile) -> Changes:
    kinds = tuple(known for known in profile.thinking if known != "enabled")
    return {
        "thinking": kinds if "adaptive" in kinds else ("adaptive", *kinds),
        "efforts": profile.efforts or ALL_EFFORTS,
    }


def _efforts(match: re.Match[str], _: Profile) -> Changes:
    named = re.findall(r"\w+", match.group(1))
    return {"efforts": tuple(level for level in ALL_EFFORTS if level in named)}


def _max_output(match: re.Match[str], _: Profile) -> Changes:
    return {"max_output_tokens": int(match.group(1))}


_REFUSALS: tuple[tuple[str, str, Callable[[re.Match[str], Profile], Changes], bool], ...] = (
    (
        "thinking blocks",
        r"Invalid `?(signature|data)`? in|must start with a thinking block|Expected `?thinking`?|signature: "
        r"(Field required|Extra inputs)|signature.str|cannot be modified|bound to a different conversation|"
        r"must contain thinking",
        _fixed(thinking_replay=False),
        False,
    ),
    ("sampling", r"(temperature|top_p|top_k)`? (is deprecated|.*not supported)", _fixed(sampling="none"), True),
    ("sampling", r"(temperature|top_p|top_k): Extra inputs", _fixed(sampling="none"), True),
    ("one of temperature and top_p", r"cannot both be specified", _fixed(sampling="one"), True),
    (
        "sampling while thinking",
        r"(temperature|top_p|top_k)`? (may only|must be).*thinking is enabled",
        _fixed(sampling_while_thinking=False),
        True,
    ),
    ("thinking.type.enabled", r'"?thinking.type.enabled"? is not supported', _adaptive, True),
    ("thinking.type.adaptive", r"adaptive thinking is not supported|Input tag 'adaptive'", _without("adaptive"), True),
    (
        "thinking.type.disabled",
        r'"?thinking.type.disabled"? is not supported|always engages in thinking|only type=enabled|'
        r"type cannot be disabled",
        _without("disabled"),
        True,
    ),
    ("thinking", r"^thinking: Extra inputs|does not support thinking", _fixed(thinking=(), efforts=()), True),
    ("thinking.display", r"display: Extra inputs", _fixed(thinking_display=False), True),
    ("output_config.effort", r"effort level '\w+'\. Supported levels: ([\w, ]+)", _efforts, True),
    ("output_config.effort", r"does not support the effort parameter|effort: Extra inputs", _fixed(efforts=()), True),
    (
        "forced tool_choice",
        r"tool_choice.*not supported for this model|does not support this tool_choice",
        _fixed(forced_tool_choice=False),
        True,
    ),
    (
        "forced tool_choice while thinking",
        r"Thinking may not be enabled when tool_choice",
        _fixed(forced_tool_choice=False),
        True,
    ),
    ("tool_choice none", r"tool_choice.*'none'.*(expected|tags)", _fixed(tool_choice_none=False), True),
    (
        "prefill",
        r"does not support assistant message prefill|must end with a user message",
        _fixed(prefill=False),
        True,
    ),
    (
        "system messages",
        r"role.{0,3}system.{0,3} is not supported|Unexpected role .?system|unknown variant .?system|"
        r"messages\.\d+\.role: Input should be|invalid message role: system|use the top-level 'system'",
        _fixed(system_messages=False),
        True,
    ),
    (
        "structured outputs",
        r"output_config(\.format)?[.\w]*: |does not support output format|Too many strict tools|Schemas? contains? too many|"
        r"Compiled grammar|Grammar compilation|strict: Extra inputs|explicitly set to false",
        _fixed(structured_outputs=False),
        True,
    ),
    ("cache_control.ttl", r"cache_control\.[\w.]*ttl", _fixed(cache_ttl=False), True),
    ("cache_control", r"cache_control: Extra inputs|cache_control is not supported", _fixed(cache_control=False), True),
    ("max_tokens", r"max_tokens: \d+ > (\d+)", _max_output, True),
    ("service_tier", r"service_tier: ", _fixed(service_tier=False), True),
    ("web_search", r"web_search", _fixed(web_search=False), True),
    ("stop_sequences", r"stop_sequences: Extra inputs", _fixed(stop_sequences=False), True),
    ("tool ids", r"tool_use(_id|\.id): String should match pattern", _fixed(verbatim_tool_ids=False), True),
    ("tool names", r"name: String should (match pattern|have at most)", _fixed(tool_name_length=64), True),
)
_COMPILED = tuple((name, re.compile(phrase, re.IGNORECASE), change, last) for name, phrase, change, last in _REFUSALS)


def lesson(message: str, profile: Profile) -> Lesson | None:
    """What a 400's `message` teaches beyond `profile`, or None."""
    for name, phrase, changes_of, lasting in _COMPILED:
        match = phrase.search(message)
        if match:
            changes = changes_of(match, profile)
            if replace(profile, **changes) != profile:
                return Lesson(name, changes, lasting)
    return None


class Lessons:
    """The lasting lessons of this process, by upstream and model; at most `capacity` models, the oldest forgotten."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._known: dict[tuple[str, str], dict[str, Lesson]] = {}

    def applied(self, profile: Profile, host: str, model: str) -> Profile:
        """`profile` with everything learned of `model`."""
        for known in self._known.get((host, model), {}).values():
            profile = replace(profile, **known.changes)
        return profile

    def names(self, host: str, model: str) -> tuple[str, ...]:
        """What was learned to be refused, for a response header."""
        return tuple(self._known.get((host, model), ()))

    def remember(self, learned: Lesson, host: str, model: str) -> None:
        """Keep a lasting lesson and log it once."""
        if not learned.lasting:
            return
        if (host, model) not in self._known and len(self._known) >= self._capacity:
            self._known.pop(next(iter(self._known)))
        self._known.setdefault((host, model), {})[learned.name] = learned
        _logger.warning("learned that %r at %s refuses %s; it is left out from now on", model, host, learned.name)
