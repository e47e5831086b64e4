"""The chunks in which a chat completion is streamed."""

from __future__ import annotations

from typing import Any

from app.translate.answer_blocks import Block
from app.translate.chat_answer import ChatAnswer, Estimate, Event
from app.translate.usage import chat_usage

Chunk = dict[str, Any]


class ChatStream:
    """`answer`, told as it comes: `feed` each event in turn, then `end()`."""

    def __init__(self, answer: ChatAnswer) -> None:
        self.answer = answer
        self._envelope: Chunk = {
            "id": answer.id,
            "object": "chat.completion.chunk",
            "created": answer.created,
            "model": answer.form.model,
            "choices": [],
        }
        if answer.form.include_usage:
            self._envelope["usage"] = None

    def feed(self, event: Event) -> list[Chunk]:
        """The chunks for one event. Raises as `ChatAnswer.feed` does."""
        return [self._chunk(delta) for delta in self.answer.feed(event)]

    def end(self, estimate: Estimate | None = None) -> list[Chunk]:
        """The last chunks: finish_reason, then usage if it was asked for. Raises as `ChatAnswer.end` does."""
        chunks = [self._chunk(delta) for delta in self.answer.end()]
        finish = self._chunk({})
        finish["choices"][0] |= self.answer.finish
        chunks.append(finish)
        if self.answer.form.include_usage:
            chunks.append(self._envelope | {"usage": chat_usage(self.answer.final_usage(estimate))})
        return chunks

    def _chunk(self, delta: Block) -> Chunk:
        return {
            **self._envelope,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
        }
