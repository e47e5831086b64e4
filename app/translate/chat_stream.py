"""Anthropic stream events -> chat completion chunks, one state table and no waiting.

new --message_start--> open --message_stop--> ended
      (any other event opens a message that the upstream forgot to start)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import UpstreamBroken, UpstreamRefusal
from app.translate.answer_blocks import (
    AnswerBlock,
    CallBlock,
    Deltas,
    JsonAnswerBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    WholeCallBlock,
)
from app.translate.error_body import stream_error
from app.translate.json_text import JsonText
from app.translate.request import AnswerForm
from app.translate.stop_reason import finish_reason
from app.translate.usage import Usage, chat_usage, input_tokens, merged_usage

Event = dict[str, Any]
Chunk = dict[str, Any]


class ChatStream:
    """One answer. `feed` each event in turn, then `end()`.

    `id` and `created` (Unix seconds) go into every chunk; `estimate(output text)` gives an Anthropic usage for counts
    that the upstream leaves out. After the end, `usage`, `stop_reason` and
    `thinking_by_call` (the thinking blocks of the answer, by the id of each tool call) tell what came.
    """

    def __init__(
        self, answer: AnswerForm, id: str, created: int, estimate: Callable[[str], Usage] | None = None
    ) -> None:
        self._answer = answer
        self._id = id
        self._created = created
        self._estimate = estimate
        self._state = "new"
        self._blocks: dict[Any, AnswerBlock] = {}
        self.legacy = answer.legacy
        self.calls = 0
        self.annotations = 0
        self.thinking: list[Event] = []
        self.text: list[str] = []
        self.text_length = 0
        self.json_text = JsonText() if answer.json_answer == "text" else None
        self.held: list[str] | None = [] if answer.json_answer == "tool" else None
        self.json_answered = False
        self.thinking_by_call: dict[str, list[Event]] = {}
        self.usage: Usage = {}
        self.stop_reason: str | None = None
        self._stop_sequence: Any = None
        self._stop_details: Any = None

    @property
    def ended(self) -> bool:
        return self._state == "ended"

    def feed(self, event: Event) -> list[Chunk]:
        """The chunks for one event; unknown events and those behind the end give none.

        Raises UpstreamRefusal for an `error` event.
        """
        reader = _EVENTS[self._state].get(event.get("type", ""))
        return reader(self, event) if reader else []

    def end(self) -> list[Chunk]:
        """The last chunks once the upstream's bytes have ended: finish_reason, then usage if it was asked for.

        Raises UpstreamBroken if the answer was cut: neither message_stop nor a stop_reason came.
        """
        chunks = []
        if self._state == "new" or (self._state == "open" and self.stop_reason is None):
            raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
        if self._state == "open":
            chunks = self._stop({})
        return chunks

    def _start(self, event: Event) -> list[Chunk]:
        self._state = "open"
        message = event.get("message")
        if isinstance(message, dict):
            self.usage = merged_usage(self.usage, message.get("usage"))
        return [self._chunk({"role": "assistant", "content": "", "refusal": None})]

    def _forgotten_start(self, event: Event) -> list[Chunk]:
        return [*self._start({}), *self.feed(event)]

    def _open_block(self, event: Event) -> list[Chunk]:
        index, block = event.get("index"), event.get("content_block")
        chunks = self._close_block({"index": index})
        opened = self._block(block if isinstance(block, dict) else {})
        self._blocks[index] = opened
        return chunks + self._chunks(opened.opened())

    def _block(self, block: Event) -> AnswerBlock:
        kind = block.get("type")
        if kind == "tool_use":
            name = block.get("name")
            form = self._answer.tool(name if isinstance(name, str) else "")
            if form.json_answer:
                return JsonAnswerBlock(block, self, form)
            return CallBlock(block, self, form) if form.verbatim else WholeCallBlock(block, self, form)
        return _BLOCKS.get(kind if isinstance(kind, str) else "", AnswerBlock)(block, self)

    def _grow_block(self, event: Event) -> list[Chunk]:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            return []
        block = self._blocks.get(event.get("index"))
        if block is None:
            kind = _UNOPENED.get(delta.get("type", ""))
            if kind is None:
                return []
            start = {"index": event.get("index"), "content_block": {"type": kind}}
            return [*self._open_block(start), *self._grow_block(event)]
        return [self._chunk(d) for d in block.grown(delta)]

    def _close_block(self, event: Event) -> list[Chunk]:
        block = self._blocks.pop(event.get("index"), None)
        return self._chunks(block.closed()) if block else []

    def _message_delta(self, event: Event) -> list[Chunk]:
        self.usage = merged_usage(self.usage, event.get("usage"))
        delta = event.get("delta")
        if isinstance(delta, dict):
            self.stop_reason = delta.get("stop_reason") or self.stop_reason
            self._stop_sequence = delta.get("stop_sequence") or self._stop_sequence
            self._stop_details = delta.get("stop_details") or self._stop_details
        return []

    def _error(self, event: Event) -> list[Chunk]:
        error: UpstreamRefusal = stream_error(event)
        raise error

    def _stop(self, event: Event) -> list[Chunk]:
        chunks = [chunk for index in list(self._blocks) for chunk in self._close_block({"index": index})]
        self._state = "ended"
        chunks += self._chunks(self._held_text())
        if self.stop_reason in {"refusal", "sensitive"}:
            details = self._stop_details if isinstance(self._stop_details, dict) else {}
            refusal = details.get("explanation") or "".join(self.text)
            chunks += self._chunks([{"refusal": refusal}] if refusal else [])
        chunks.append(self._finish())
        if self._answer.include_usage:
            chunks.append(self._envelope([], chat_usage(self.final_usage())))
        return chunks

    def _held_text(self) -> Deltas:
        """Text kept back for the sake of JSON, when no JSON came."""
        if self.json_text is not None:
            text = self.json_text.rest()
        elif self.held and not self.json_answered and not self.calls:
            extractor = JsonText()
            text = "".join(filter(None, map(extractor.feed, self.held))) or extractor.rest()
        else:
            return []
        self.text.append(text)
        return [{"content": text}] if text else []

    def final_usage(self) -> Usage:
        """The upstream's counts; where it says zero or nothing, the estimate stands in."""
        if self._estimate is None or (input_tokens(self.usage) and self.usage.get("output_tokens")):
            return self.usage
        thinking = [block["thinking"] for block in self.thinking if "thinking" in block]
        return merged_usage(self._estimate("".join([*thinking, *self.text])), self.usage)

    def _finish(self) -> Chunk:
        reason = finish_reason(self.stop_reason, self.calls, self.legacy)
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        raw = {"stop_reason": self.stop_reason, "stop_sequence": self._stop_sequence}
        return self._envelope([choice | {"provider_specific_fields": raw}], None)

    def _chunks(self, deltas: Deltas) -> list[Chunk]:
        return [self._chunk(delta) for delta in deltas]

    def _chunk(self, delta: Event) -> Chunk:
        return self._envelope([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}], None)

    def _envelope(self, choices: list[Event], usage: Usage | None) -> Chunk:
        chunk = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._answer.model,
            "choices": choices,
        }
        if self._answer.include_usage:
            chunk["usage"] = usage
        return chunk


_BLOCKS: dict[str, type[AnswerBlock]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedThinkingBlock,
}
_UNOPENED = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
"""What a delta for a block that was never opened belongs to; arguments without a tool's name are of no use."""

_Reader = Callable[[ChatStream, Event], list[Chunk]]
_OPEN: dict[str, _Reader] = {
    "content_block_start": ChatStream._open_block,
    "content_block_delta": ChatStream._grow_block,
    "content_block_stop": ChatStream._close_block,
    "message_delta": ChatStream._message_delta,
    "message_stop": ChatStream._stop,
    "error": ChatStream._error,
}
_EVENTS: dict[str, dict[str, _Reader]] = {
    "new": dict.fromkeys(_OPEN, ChatStream._forgotten_start)
    | {"message_start": ChatStream._start, "error": ChatStream._error},
    "open": _OPEN,
    "ended": {},
}
