"""Anthropic stream events -> the events its API documents, from upstreams that leave out what its SDKs build upon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.translate.call_blocks import input_text
from app.translate.usage import COUNTS, Usage, tokens

Event = dict[str, Any]
Block = dict[str, Any]
CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
"""Blocks with an input. A tuple: the type of a block may be anything, hashable or not."""
_MESSAGE = {"type": "message", "role": "assistant", "stop_reason": None, "stop_sequence": None}
_BLOCK_OF = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}
_DELTA_OF = {"text": "text_delta", "thinking": "thinking_delta"}


@dataclass(slots=True)
class _OpenBlock:
    position: int
    kind: str
    input: Any = None
    """What came of a call's input with its start, until a delta brings it again."""


class DocumentedEvents:
    """One stream. `feed` each event in turn.

    Anthropic's SDKs append a block at its start and find it by `index` afterwards, take `usage` for granted, and
    some clients empty a block at its start, since its content comes in deltas. So there is one message_start; blocks
    are numbered 0, 1, 2 in the order of their starts, start empty, and are stopped before the message ends.
    """

    def __init__(self) -> None:
        self._begun = False
        self._begun_blocks = 0
        self._open: dict[int | None, _OpenBlock] = {}
        self._newest: int | None = None
        self._output_tokens = 0

    def feed(self, event: Event) -> list[Event]:
        """What stands for `event`: the very same object where it is as documented, and where it is unknown."""
        kind = event.get("type")
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            return [event]
        start = [] if self._begun or kind == "message_start" else self._start({"type": "message_start"})
        return [*start, *reader(self, event)]

    @property
    def growing(self) -> tuple[str, int] | None:
        """Type and index of the newest block, while it is open, numbered as documented, and owes no input."""
        newest = self._open.get(self._newest)
        if newest is None or newest.position != self._newest or newest.input is not None:
            return None
        return newest.kind, newest.position

    def _start(self, event: Event) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        message = event["message"] if isinstance(event.get("message"), dict) else {}
        missing: Event = {name: value for name, value in _MESSAGE.items() if name not in message}
        if not isinstance(message.get("content"), list):
            missing["content"] = []
        usage = _counted(message.get("usage"), {"input_tokens": 0, "output_tokens": 0})
        self._output_tokens = usage["output_tokens"]
        if not missing and usage is message.get("usage"):
            return [event]
        return [event | {"message": message | missing | {"usage": usage}}]

    def _index(self, event: Event) -> int | None:
        """The block that an event is about: the newest where an upstream leaves `index` out."""
        index = event.get("index")
        return index if isinstance(index, int) else self._newest

    def _start_block(self, event: Event) -> list[Event]:
        block = event.get("content_block")
        return self._opened(event, block if isinstance(block, dict) else {"type": "text"})

    def _opened(self, event: Event, block: Block) -> list[Event]:
        index = self._index(event)
        stops = self._stopped(index)
        opened = _OpenBlock(self._begun_blocks, str(block.get("type")))
        self._open[index], self._newest = opened, index
        self._begun_blocks += 1
        empty, growth = _emptied(block, opened)
        start = event if empty is event.get("content_block") else event | {"content_block": empty}
        deltas = [_delta(opened.position, delta) for delta in growth]
        return [*stops, _at(start, opened.position), *deltas]

    def _grow_block(self, event: Event) -> list[Event]:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            return []
        index = self._index(event)
        block, kind = self._open.get(index), _block_of(delta)
        starts: list[Event] = []
        if block is None or (kind and block.kind in _DELTA_OF and block.kind != kind):
            # Never started, or text that follows the thinking without a block of its own.
            if not kind or (block and not delta.get(kind)):
                return []
            starts = self._opened({"type": "content_block_start", "index": index}, {"type": kind})
            block = self._open[index]
        if block.input is not None and str(delta.get("partial_json") or "").strip():
            block.input = None
        return [*starts, _at(event, block.position)]

    def _stop_block(self, event: Event) -> list[Event]:
        return self._stopped(self._index(event), event)

    def _stopped(self, index: int | None, event: Event | None = None) -> list[Event]:
        """The end of a block, whose input may still be owed."""
        block = self._open.pop(index, None)
        if block is None:
            return []
        stop = _at(event or {"type": "content_block_stop"}, block.position)
        return [_delta(block.position, _input_delta(block.input)), stop] if block.input else [stop]

    def _message_delta(self, event: Event) -> list[Event]:
        delta = event.get("delta")
        stops = self._all_stopped() if isinstance(delta, dict) and delta.get("stop_reason") else []
        if not isinstance(delta, dict):
            event = event | {"delta": {"stop_reason": None, "stop_sequence": None}}
        usage = _counted(event.get("usage"), {"output_tokens": self._output_tokens})
        self._output_tokens = usage["output_tokens"]
        return [*stops, event if usage is event.get("usage") else event | {"usage": usage}]

    def _stop(self, event: Event) -> list[Event]:
        return [*self._all_stopped(), event]

    def _all_stopped(self) -> list[Event]:
        return [stop for index in list(self._open) for stop in self._stopped(index)]


def _emptied(block: Block, opened: _OpenBlock) -> tuple[Block, list[Event]]:
    """`block` as it starts, itself if it is empty, and the deltas that bring what came with it; input waits."""
    kind = opened.kind
    if kind in CALLS:
        opened.input = block.get("input") or None
        return (block if block.get("input") == {} else block | {"input": {}}), []
    if kind not in _DELTA_OF:
        return block, []
    text, signature, citations = block.get(kind), block.get("signature"), block.get("citations")
    growth: list[Event] = []
    empty = block if text == "" else block | {kind: ""}
    if kind == "text" and isinstance(citations, list) and citations:
        growth += [{"type": "citations_delta", "citation": citation} for citation in citations]
        empty = empty | {"citations": []}
    if isinstance(text, str) and text:
        growth.append({"type": _DELTA_OF[kind], kind: text})
    if kind == "thinking" and signature:
        growth.append({"type": "signature_delta", "signature": signature})
        empty = empty | {"signature": ""}
    return empty, growth


def _counted(usage: Any, least: dict[str, int]) -> Usage:
    """`usage` with the counts of `least` where it has none, and numbers for strings; itself if it is like that."""
    given: Usage = usage if isinstance(usage, dict) else {}
    counts = {name: count for name, count in least.items() if given.get(name) is None}
    counts |= {name: tokens(given, name) for name in COUNTS if isinstance(given.get(name), str)}
    return given | counts if counts else given


def _block_of(delta: Event) -> str | None:
    """The type of the block that a delta is for, where it is told by the delta alone."""
    kind = delta.get("type")
    return _BLOCK_OF.get(kind) if isinstance(kind, str) else None


def _at(event: Event, position: int) -> Event:
    index = event.get("index")
    return event if index == position and type(index) is int else event | {"index": position}


def _delta(position: int, delta: Event) -> Event:
    return {"type": "content_block_delta", "index": position, "delta": delta}


def _input_delta(input: Any) -> Event:
    return {"type": "input_json_delta", "partial_json": input_text(input)}


_READERS: dict[str, Callable[[DocumentedEvents, Event], list[Event]]] = {
    "message_start": DocumentedEvents._start,
    "content_block_start": DocumentedEvents._start_block,
    "content_block_delta": DocumentedEvents._grow_block,
    "content_block_stop": DocumentedEvents._stop_block,
    "message_delta": DocumentedEvents._message_delta,
    "message_stop": DocumentedEvents._stop,
}
