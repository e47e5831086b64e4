"""Turns that the upstream paused (`stop_reason: pause_turn`) -> one answer.

A server tool that works for long ends its message early; sent back as it is, the conversation goes on in the next one.
"""

from __future__ import annotations

from typing import Any

from app.translate.message_events import folded_message
from app.translate.usage import Usage

Event = dict[str, Any]
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def can_pause(messages_request: Event) -> bool:
    """Whether server tools are offered, without which no turn is paused."""
    return bool(messages_request.get("mcp_servers")) or any(
        "type" in tool for tool in messages_request.get("tools", ())
    )


class ContinuedTurn:
    """Renumbers the blocks of each message behind those of the last, and hides the seams."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._offset = 0
        self._highest = -1
        self._earlier: Usage = {}
        self._last_delta: Event | None = None
        self.paused = False

    def feed(self, event: Event) -> list[Event]:
        """`event` as part of the one answer; the end of a paused message gives nothing."""
        self._events.append(event)
        kind = event.get("type")
        if kind == "message_start" and self._offset:
            return []
        if kind == "message_delta":
            delta = event.get("delta")
            self.paused = isinstance(delta, dict) and delta.get("stop_reason") == "pause_turn"
            return [] if self.paused else [event | {"usage": self._total(event.get("usage"))}]
        if kind == "message_stop" and self.paused:
            return []
        if isinstance(event.get("index"), int):
            index = event["index"] + self._offset
            self._highest = max(self._highest, index)
            return [event | {"index": index}]
        return [event]

    def next_request(self, messages_request: Event) -> Event:
        """The request that continues the paused message."""
        message = folded_message(self._events)
        self._earlier = self._total(message.get("usage"))
        self._events = []
        self._offset = self._highest + 1
        self.paused = False
        turn = {"role": "assistant", "content": message["content"]}
        request: Event = {**messages_request, "messages": [*messages_request["messages"], turn]}
        return request

    def _total(self, usage: Any) -> Usage:
        total: Usage = dict(usage) if isinstance(usage, dict) else {}
        for name in _COUNTS:
            if self._earlier.get(name):
                total[name] = (total.get(name) or 0) + self._earlier[name]
        return total
