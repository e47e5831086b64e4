"""Half surrogate pairs: an upstream that cuts text by UTF-16 units sends an emoji as two deltas."""

from __future__ import annotations

import re
from typing import Any

Event = dict[str, Any]

_LONE = re.compile("[\ud800-\udfff]")
_DELTA_TYPES = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}


def has_lone_surrogate(value: Any) -> bool:
    """Whether any string in `value` cannot be encoded."""
    if isinstance(value, str):
        return _LONE.search(value) is not None
    if isinstance(value, dict):
        return any(map(has_lone_surrogate, value.values()))
    return isinstance(value, list) and any(map(has_lone_surrogate, value))


class SurrogateJoiner:
    """Holds the first half of a pair back until the delta with the second half comes; a half alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._halves: dict[tuple[int | None, str], str] = {}

    @property
    def pending(self) -> bool:
        return bool(self._halves)

    def feed(self, event: Event) -> list[Event]:
        """`event` without lone surrogates, behind a delta for each half that stays alone."""
        index = event.get("index")
        delta = event.get("delta")
        kind = event.get("type")
        if kind == "content_block_delta" and isinstance(delta, dict):
            return [event | {"delta": {name: self._joined(index, name, v) for name, v in delta.items()}}]
        ended: list[Event] = []
        if kind == "content_block_stop":
            ended = self._ended([key for key in self._halves if key[0] == index])
        elif kind in ("message_delta", "message_stop"):
            ended = self.end()
        return [*ended, mended(event)]

    def end(self) -> list[Event]:
        """The deltas for all halves whose other half never came."""
        return self._ended(list(self._halves))

    def _ended(self, keys: list[tuple[int | None, str]]) -> list[Event]:
        events: list[Event] = []
        for key in keys:
            del self._halves[key]
            index, name = key
            delta = {"type": _DELTA_TYPES[name], name: "\ufffd"}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        return events

    def _joined(self, index: Any, name: str, value: Any) -> Any:
        if not isinstance(value, str) or name not in _DELTA_TYPES:
            return mended(value)
        key = (index if isinstance(index, int) else None, name)
        value = self._halves.pop(key, "") + value
        if value and "\ud800" <= value[-1] <= "\udbff":
            self._halves[key] = value[-1]
            value = value[:-1]
        return mended(value)


def mended(value: Any) -> Any:
    """`value` with pairs joined and lone halves as U+FFFD, in every string."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _LONE.search(value) else value
    if isinstance(value, dict):
        return {mended(key): mended(child) for key, child in value.items()}
    return [mended(child) for child in value] if isinstance(value, list) else value
