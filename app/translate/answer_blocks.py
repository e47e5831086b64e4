"""Content blocks of an answer as they open, grow and close, each told as deltas of a chat completion."""

from __future__ import annotations

import json
from typing import Any, Protocol

import orjson

from app.translate.json_text import JsonText
from app.translate.tools import CUSTOM_INPUT, ToolForm

Block = dict[str, Any]
Deltas = list[Block]


class AnswerState(Protocol):
    """What blocks share: counters and the text so far, held by the stream."""

    calls: int
    annotations: int
    thinking: list[Block]
    text: list[str]
    text_length: int
    legacy: bool
    json_text: JsonText | None
    held: list[str] | None
    json_answered: bool
    thinking_by_call: dict[str, list[Block]]


class AnswerBlock:
    """A block that a chat completion does not show: a server tool, its result, or a type of tomorrow."""

    def __init__(self, block: Block, state: AnswerState) -> None:
        self.block = block
        self.state = state

    def opened(self) -> Deltas:
        return []

    def grown(self, delta: Block) -> Deltas:
        return []

    def closed(self) -> Deltas:
        return []


class TextBlock(AnswerBlock):
    """Text becomes content; its citations of web pages become annotations when it closes."""

    def opened(self) -> Deltas:
        self.start = self.state.text_length
        self.citations = [*(self.block.get("citations") or ())]
        text = self.block.get("text")
        return self._content(text) if isinstance(text, str) and text else []

    def grown(self, delta: Block) -> Deltas:
        text = delta.get("text")
        if isinstance(text, str) and text:
            return self._content(text)
        if delta.get("type") == "citations_delta":
            self.citations.append(delta.get("citation"))
        return []

    def _content(self, text: str) -> Deltas:
        state = self.state
        if state.json_text is not None:
            text = state.json_text.feed(text)
            if not text:
                return []
        elif state.held is not None:
            state.held.append(text)
            return []
        state.text.append(text)
        state.text_length += len(text)
        return [{"content": text}]

    def closed(self) -> Deltas:
        annotations: Deltas = []
        for citation in self.citations:
            if isinstance(citation, dict) and isinstance(citation.get("url"), str):
                page: Block = {"start_index": self.start, "end_index": self.state.text_length}
                page |= {"url": citation["url"], "title": citation.get("title") or ""}
                annotations.append({"index": self.state.annotations, "type": "url_citation", "url_citation": page})
                self.state.annotations += 1
        return [{"annotations": annotations}] if annotations else []


class ThinkingBlock(AnswerBlock):
    """Thinking becomes reasoning_content; a signed block is given whole when it closes, to be sent back unchanged."""

    def opened(self) -> Deltas:
        text, signature = self.block.get("thinking"), self.block.get("signature")
        self.text = [text] if isinstance(text, str) and text else []
        self.signature = signature if isinstance(signature, str) else ""
        return [{"reasoning_content": self.text[0]}] if self.text else []

    def grown(self, delta: Block) -> Deltas:
        text = delta.get("thinking")
        if isinstance(text, str) and text:
            self.text.append(text)
            return [{"reasoning_content": text}]
        if isinstance(delta.get("signature"), str):
            # The SDK replaces the signature too: it comes whole.
            self.signature = delta["signature"]
        return []

    def closed(self) -> Deltas:
        text = "".join(self.text)
        if not text and not self.signature:
            return []
        return self._whole({"type": "thinking", "thinking": text, "signature": self.signature}, self.signature)

    def _whole(self, block: Block, shown: object) -> Deltas:
        index = len(self.state.thinking)
        self.state.thinking.append(block)
        return [{"thinking_blocks": [{"index": index, **block}]}] if shown else []


class RedactedThinkingBlock(ThinkingBlock):
    """Encrypted thinking: nothing to show, everything to send back."""

    def opened(self) -> Deltas:
        return []

    def grown(self, delta: Block) -> Deltas:
        return []

    def closed(self) -> Deltas:
        data = self.block.get("data")
        return self._whole({"type": "redacted_thinking", "data": data}, data) if isinstance(data, str) else []


class CallBlock(AnswerBlock):
    """A tool call whose arguments are handed on as they come."""

    def __init__(self, block: Block, state: AnswerState, form: ToolForm) -> None:
        super().__init__(block, state)
        self.form = form
        self.started = False

    def opened(self) -> Deltas:
        self.position = self.state.calls
        self.state.calls += 1
        id = self.block.get("id")
        self.id = id if isinstance(id, str) and id else f"call_{self.position}"
        self.state.thinking_by_call[self.id] = self.state.thinking
        return [self._begun({"name": self.form.name, "arguments": ""})]

    def _begun(self, function: Block) -> Block:
        if self.state.legacy:
            return {"function_call": function}
        return {"tool_calls": [{"index": self.position, "id": self.id, "type": "function", "function": function}]}

    def grown(self, delta: Block) -> Deltas:
        piece = delta.get("partial_json")
        if not isinstance(piece, str) or not piece:
            return []
        self.started = True
        return self._arguments(piece)

    def _arguments(self, piece: str) -> Deltas:
        if self.state.legacy:
            return [{"function_call": {"arguments": piece}}]
        return [{"tool_calls": [{"index": self.position, "function": {"arguments": piece}}]}]

    def closed(self) -> Deltas:
        return [] if self.started else self._arguments(compact(self.block.get("input") or {}))


class WholeCallBlock(CallBlock):
    """A call whose arguments must be read before the client's own form of them can be told."""

    def opened(self) -> Deltas:
        self.pieces: list[str] = []
        begun = super().opened()
        return [] if self.form.custom else begun

    def _arguments(self, piece: str) -> Deltas:
        self.pieces.append(piece)
        return []

    def closed(self) -> Deltas:
        source = "".join(self.pieces)
        try:
            value = json.loads(source) if source else self.block.get("input") or {}
        except ValueError:
            value = source
        if self.form.custom:
            text = value.get(CUSTOM_INPUT, "") if isinstance(value, dict) else value
            custom = {"name": self.form.name, "input": text if isinstance(text, str) else compact(text)}
            call = {"index": self.position, "id": self.id, "type": "custom", "custom": custom}
            return [{"tool_calls": [call]}]
        return super()._arguments(own_arguments(value, self.form))


class JsonAnswerBlock(AnswerBlock):
    """The call of the tool that stands in for response_format: its input is the content."""

    def __init__(self, block: Block, state: AnswerState, form: ToolForm) -> None:
        super().__init__(block, state)
        self.form = form
        self.pieces: list[str] = []

    def opened(self) -> Deltas:
        self.superfluous = self.state.json_answered
        self.state.json_answered = True
        return []

    def grown(self, delta: Block) -> Deltas:
        piece = delta.get("partial_json")
        if not isinstance(piece, str) or not piece:
            return []
        self.pieces.append(piece)
        return [{"content": piece}] if self.form.verbatim and not self.superfluous else []

    def closed(self) -> Deltas:
        if self.superfluous or (self.pieces and self.form.verbatim):
            return []
        source = "".join(self.pieces)
        try:
            value = json.loads(source) if source else self.block.get("input") or {}
        except ValueError:
            return [{"content": source}]
        return [{"content": own_arguments(value, self.form)}]


def own_arguments(value: Any, form: ToolForm) -> str:
    """Arguments as the client's schema has them: unwrapped, with its own property names."""
    if form.wrapped and isinstance(value, dict) and "value" in value:
        value = value["value"]
    if isinstance(value, str) and not form.wrapped:
        return value
    return compact(_own_keys(value, form.renamed))


def _own_keys(value: Any, names: dict[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {names.get(key, key): _own_keys(child, names) for key, child in value.items()}
    return [_own_keys(child, names) for child in value] if isinstance(value, list) else value


def compact(value: Any) -> str:
    """`value` as JSON text without blanks."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"))
