"""What a user text asks of the fake, by markers in double brackets: `[[tool:weather {"city": "Paris"}]]`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MARKER = re.compile(r"\[\[(?!tool:)([a-z][a-z0-9_-]*)(?::([^\[\]]*))?\]\]")
CALL = re.compile(r"\[\[tool:\s*([^\s\]{]+)\s*")
CALL_END = re.compile(r"\s*\]\]")


@dataclass(frozen=True)
class Call:
    """A tool call that the text asks for; without `input`, made up from the tool's schema."""

    name: str
    input: dict[str, Any] | None = None


@dataclass(frozen=True)
class Script:
    """The markers of a text: its tool calls in order, the other markers with their arguments, the rest."""

    calls: tuple[Call, ...] = ()
    markers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def __contains__(self, marker: str) -> bool:
        return marker in self.markers

    def number(self, marker: str, default: float) -> float:
        """The marker's argument as a number, `default` when it is none."""
        try:
            return float(self.markers[marker])
        except (KeyError, ValueError):
            return default


def _arguments(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """(the object that begins at `at`, its end); None where none does."""
    try:
        found, end = json.JSONDecoder().raw_decode(text, at)
    except ValueError:
        return None, at
    return (found, end) if isinstance(found, dict) else (None, at)


def _calls(text: str) -> tuple[list[Call], str]:
    """The tool calls and the text without them; a call that is not closed stays text."""
    calls, rest, at = [], "", 0
    while found := CALL.search(text, at):
        arguments, end = _arguments(text, found.end())
        closed = CALL_END.match(text, end)
        if closed:
            calls.append(Call(found[1], arguments))
        rest += text[at : found.start() if closed else found.end()]
        at = closed.end() if closed else found.end()
    return calls, rest + text[at:]


def script(text: str) -> Script:
    """Reads the markers of a text; what is not quite a marker stays text."""
    calls, rest = _calls(text)
    markers = {found[1]: found[2] or "" for found in MARKER.finditer(rest)}
    return Script(tuple(calls), markers, MARKER.sub("", rest).strip())
