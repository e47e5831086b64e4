"""Anthropic stream events -> the deltas of a chat completion, one state table and no waiting.

new --message_start--> open --message_stop--> ended
      (any other event opens a message that the upstream forgot to start)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import UpstreamBroken
from app.translate.answer_blocks import (
    AnswerBlock,
    AnswerSoFar,
    Deltas,
    OmittedBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    missing_block,
)
from app.translate.answer_form import AnswerForm
from app.translate.call_blocks import call_block
from app.translate.growing_text import GrowingText
from app.translate.json_text import JsonText
from app.translate.stop_reason import finish_reason, stop_reason_of
from app.translate.told_calls import ToldCall
from app.translate.upstream_error import stream_error
from app.translate.usage import Usage, completed_usage, input_tokens, merged_usage, tokens

Event = dict[str, Any]
Estimate = Callable[[str], Usage]
"""Output text -> an Anthropic usage, for counts that the upstream leaves out."""


class ChatAnswer:
    """One answer. `feed` each event in turn, then `end()`.

    The client knows it by `id` and `created` (Unix seconds). After the end, `finish`, `usage`, `stop_reason` and
    `thinking_by_call` tell what came.
    """

    def __init__(self, form: AnswerForm, id: str, created: int) -> None:
        self.form = form
        self.id = id
        self.created = created
        self._state = "new"
        self._so_far = AnswerSoFar(
            id,
            form.legacy,
            json_text=JsonText() if form.json_answer == "text" else None,
            held=GrowingText() if form.json_answer == "tool" else None,
        )
        self._blocks: dict[int | None, AnswerBlock] = {}
        self._newest: int | None = None
        self.usage: Usage = {}
        self.stop_reason: str | None = None
        self._told_end: Event = {"stop_sequence": None}
        """What comes with the stop reason and has no place in OpenAI's answer."""

    @property
    def ended(self) -> bool:
        return self._state == "ended"

    @property
    def finish(self) -> Event:
        """What the last chunk, and the choice of a whole completion, say of the end."""
        raw: Event = {"stop_reason": self.stop_reason, **self._told_end}
        if self._so_far.omitted:
            raw["omitted_blocks"] = list(self._so_far.omitted)
        if self._so_far.citations:
            raw["citations"] = self._so_far.citations
        reason = finish_reason(self.stop_reason, self._so_far.calls, self._so_far.legacy)
        return {"finish_reason": reason, "provider_specific_fields": raw}

    @property
    def thinking_by_call(self) -> dict[ToldCall, list[Event]]:
        """The thinking blocks of the answer, if there are any, by each of its tool calls."""
        if not self._so_far.thinking:
            return {}
        return dict.fromkeys(self._so_far.told_calls, self._so_far.placed_thinking())

    def feed(self, event: Event) -> Deltas:
        """The deltas for one event; unknown events and those behind the end give none.

        Raises UpstreamRefusal for an `error` event, UpstreamBroken for an input that no API could read.
        """
        kind = event.get("type")
        reader = _EVENTS[self._state].get(kind) if isinstance(kind, str) else None
        return reader(self, event) if reader else []

    def read(self, message: Event) -> Deltas:
        """The deltas for a whole message, to its end: those for its events, but for the first, which tells the role."""
        self._state = "open"
        self.usage = merged_usage(self.usage, message.get("usage"))
        self._note_stop(message)
        self.stop_reason = stop_reason_of(message)
        deltas: Deltas = []
        for block in message.get("content") or ():
            reader = self._reader_of(block if isinstance(block, dict) else {})
            deltas += reader.opened()
            deltas += reader.closed()
        return deltas + self._stop({})

    def settle(self) -> None:
        """Hold what has come in less memory, between two reads: an answer may be of ten thousand deltas."""
        self._so_far.settle()
        for block in self._blocks.values():
            block.settle()

    def end(self) -> Deltas:
        """The last deltas once the upstream's bytes have ended.

        Raises UpstreamBroken if the answer was cut: neither message_stop nor a stop_reason came.
        """
        if self._state == "new" or (self._state == "open" and self.stop_reason is None):
            raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
        return self._stop({}) if self._state == "open" else []

    def final_usage(self, estimate: Estimate | None = None) -> Usage:
        """The upstream's counts; where it says zero or nothing, the estimate stands in."""
        if estimate is None or (input_tokens(self.usage) and tokens(self.usage, "output_tokens")):
            return self.usage
        return completed_usage(self.usage, estimate(self._so_far.output))

    def _start(self, event: Event) -> Deltas:
        self._state = "open"
        message = event.get("message")
        if isinstance(message, dict):
            self.usage = merged_usage(self.usage, message.get("usage"))
        return [{"role": "assistant", "content": "", "refusal": None}]

    def _forgotten_start(self, event: Event) -> Deltas:
        return [*self._start({}), *self.feed(event)]

    def _index(self, event: Event) -> int | None:
        """The block that an event is about: the newest where an upstream leaves `index` out."""
        index = event.get("index")
        return index if isinstance(index, int) else self._newest

    def _open_block(self, event: Event) -> Deltas:
        block = event.get("content_block")
        return self._open(self._index(event), block if isinstance(block, dict) else {})

    def _open(self, index: int | None, block: Event) -> Deltas:
        closed = self._close(index)
        self._newest = index
        opened = self._blocks[index] = self._reader_of(block)
        return closed + opened.opened()

    def _reader_of(self, block: Event) -> AnswerBlock:
        kind = block.get("type")
        if kind == "tool_use":
            name = block.get("name")
            return call_block(block, self._so_far, self.form.tool(name if isinstance(name, str) else ""))
        return _BLOCKS.get(kind if isinstance(kind, str) else "", OmittedBlock)(block, self._so_far)

    def _grow_block(self, event: Event) -> Deltas:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            return []
        index = self._index(event)
        block = self._blocks.get(index)
        deltas = block.grown(delta) if block else []
        if deltas:
            return deltas
        kind = missing_block(delta, block)
        return self._open(index, {"type": kind}) + self._grow_block(event) if kind else []

    def _close_block(self, event: Event) -> Deltas:
        return self._close(self._index(event))

    def _close(self, index: int | None) -> Deltas:
        block = self._blocks.pop(index, None)
        return block.closed() if block else []

    def _message_delta(self, event: Event) -> Deltas:
        self.usage = merged_usage(self.usage, event.get("usage"))
        delta = event.get("delta")
        if isinstance(delta, dict):
            self._note_stop(delta)
        return []

    def _note_stop(self, told: Event) -> None:
        self.stop_reason = _text(told.get("stop_reason")) or self.stop_reason
        end = self._told_end
        end["stop_sequence"] = _text(told.get("stop_sequence")) or end["stop_sequence"]
        end |= {name: told[name] for name in ("stop_details", "container") if isinstance(told.get(name), dict)}

    def _error(self, event: Event) -> Deltas:
        raise stream_error(event)

    def _stop(self, event: Event) -> Deltas:
        deltas = [delta for index in list(self._blocks) for delta in self._close(index)]
        self._state = "ended"
        deltas += self._held_text()
        if self.stop_reason in {"refusal", "sensitive"}:
            explanation = self._told_end.get("stop_details", {}).get("explanation")
            refusal = _text(explanation) or "".join(self._so_far.text)
            deltas += [{"refusal": refusal}] if refusal else []
        return deltas

    def _held_text(self) -> Deltas:
        """Text kept back for the sake of JSON, when no JSON came."""
        so_far = self._so_far
        if so_far.json_text is not None:
            text = so_far.json_text.rest()
        elif so_far.held and not so_far.json_answered and not so_far.calls:
            extractor = JsonText()
            text = "".join(filter(None, map(extractor.feed, so_far.held))) or extractor.rest()
        elif so_far.held and not so_far.json_answered:
            # The model called a tool of the client's first: what it said with it is no answer yet.
            text = "".join(so_far.held)
        else:
            return []
        so_far.text.append(text)
        return [{"content": text}] if text else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_BLOCKS: dict[str, type[AnswerBlock]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedThinkingBlock,
}
_Reader = Callable[[ChatAnswer, Event], Deltas]
_OPEN: dict[str, _Reader] = {
    "content_block_start": ChatAnswer._open_block,
    "content_block_delta": ChatAnswer._grow_block,
    "content_block_stop": ChatAnswer._close_block,
    "message_delta": ChatAnswer._message_delta,
    "message_stop": ChatAnswer._stop,
    "error": ChatAnswer._error,
}
_EVENTS: dict[str, dict[str, _Reader]] = {
    "new": dict.fromkeys(_OPEN, ChatAnswer._forgotten_start)
    | {"message_start": ChatAnswer._start, "error": ChatAnswer._error},
    "open": _OPEN,
    "ended": {},
}
