"""Turns that the upstream paused (`stop_reason: pause_turn`) -> one answer.

A server tool that works for long ends its message early; sent back as it is, the conversation goes on in the next one.
"""

from __future__ import annotations

from typing import Any

from app.translate.content import is_blank
from app.translate.message_events import folded_message
from app.translate.usage import COUNTS, Usage, merged_usage, tokens

Event = dict[str, Any]


def can_pause(messages_request: Event) -> bool:
    """Whether server tools are offered, without which no turn is paused."""
    return bool(messages_request.get("mcp_servers")) or any(
        "type" in tool for tool in messages_request.get("tools", ())
    )


class ContinuedTurn:
    """Renumbers the blocks of each message behind those of the last, and hides the seams.

    After a message, `paused` tells whether to send `next_request` and feed its answer too. A turn is continued at most
    `times` times; then the last message ends the answer with its pause as it is.
    """

    def __init__(self, times: int) -> None:
        self._left = times
        self._events: list[Event] = []
        self._content: list[Event] = []
        self._offset = 0
        self._highest = -1
        self._begun = False
        self._usage: Usage = {}
        self._earlier: Usage = {}
        self._container: Any = None
        self.paused = False

    def feed(self, event: Event) -> list[Event]:
        """`event` as part of the one answer; the end of a message that will be continued gives nothing."""
        if self._left:
            self._events.append(event)
        kind = event.get("type")
        if kind == "message_start":
            return self._start(event)
        if kind == "message_delta":
            return self._delta(event)
        if kind == "message_stop" and self.paused:
            return []
        index = event.get("index")
        if isinstance(index, int):
            self._highest = max(self._highest, index + self._offset)
            return [event | {"index": index + self._offset}]
        return [event]

    def next_request(self, messages_request: Event) -> Event:
        """The request that continues the paused message: `messages_request` and all of the answer so far."""
        message = folded_message(self._events)
        self._content += filter(_is_legal, message["content"])
        self._container = message.get("container") or self._container
        self._earlier = self._total()
        self._usage = {}
        self._events = []
        self._offset = self._highest + 1
        self._left -= 1
        self.paused = False
        turn = [{"role": "assistant", "content": _stripped(self._content)}] if self._content else []
        messages = [*messages_request["messages"], *turn]
        return {**messages_request, "messages": messages} | self._same_container(messages_request)

    def _same_container(self, messages_request: Event) -> Event:
        """The container in which code has run: a new one would hold none of its files, nor the calls it waits for."""
        id = self._container.get("id") if isinstance(self._container, dict) else None
        if not isinstance(id, str):
            return {}
        asked = messages_request.get("container")
        return {"container": asked | {"id": id} if isinstance(asked, dict) else id}

    def _start(self, event: Event) -> list[Event]:
        message = event.get("message")
        self._usage = merged_usage(self._usage, message.get("usage") if isinstance(message, dict) else None)
        begun, self._begun = self._begun, True
        return [] if begun else [event]

    def _delta(self, event: Event) -> list[Event]:
        self._usage = merged_usage(self._usage, event.get("usage"))
        delta = event.get("delta")
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        self.paused = self._left > 0 and (reason == "pause_turn" or (self.paused and reason is None))
        return [] if self.paused else [event | {"usage": self._total()}]

    def _total(self) -> Usage:
        """The counts of this message, with those of the messages before it: each was paid for."""
        total = dict(self._usage)
        for name in COUNTS:
            if self._earlier.get(name):
                total[name] = tokens(self._usage, name) + tokens(self._earlier, name)
        return total


def _is_legal(block: Event) -> bool:
    """Upstreams refuse blank text, though they may have sent some."""
    return block.get("type") != "text" or not is_blank(block.get("text") or "")


def _stripped(content: list[Event]) -> list[Event]:
    """`final assistant content cannot end with trailing whitespace` (observed message)."""
    *rest, last = content
    return [*rest, last | {"text": last["text"].rstrip()} if last.get("type") == "text" else last]
