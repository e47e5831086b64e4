"""Content blocks of an answer as they open, grow and close, each told as deltas of a chat completion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.translate.growing_text import GrowingText
from app.translate.json_text import JsonText
from app.translate.told_calls import ToldCall

Block = dict[str, Any]
Deltas = list[Block]


@dataclass(slots=True)
class AnswerSoFar:
    """What the blocks of one answer share."""

    id: str
    """The id of the chat completion."""
    legacy: bool = False
    """The client speaks of `function_call`, of which an answer has room for one."""
    json_text: JsonText | None = None
    """Lets through the JSON object that stands somewhere in the text, where that is what was asked for."""
    held: GrowingText | None = None
    """Text kept back, because the input of a tool is to be the content."""
    json_answered: bool = False
    calls: int = 0
    annotations: int = 0
    text: GrowingText = field(default_factory=GrowingText)
    text_length: int = 0
    """Characters of the content."""
    citations: list[Block] = field(default_factory=list)
    """What is cited without an address, for which OpenAI has no annotation, each with its place in the content."""
    omitted: dict[str, None] = field(default_factory=dict)
    """The types of the blocks that are not shown, in order, each once."""
    arguments: GrowingText = field(default_factory=GrowingText)
    thinking: list[Block] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    """(characters of the content, calls) before each block of `thinking`."""
    written: dict[str, tuple[str, GrowingText]] = field(default_factory=dict)
    """The calls by id, in order: the name, and the pieces of the arguments, as they were told."""

    @property
    def output(self) -> str:
        """All that the model wrote."""
        thoughts = [block["thinking"] for block in self.thinking if "thinking" in block]
        return "".join([*thoughts, *self.text, *self.arguments])

    @property
    def told_calls(self) -> list[ToldCall]:
        """The calls as the client knows them."""
        return [
            ToldCall("" if self.legacy else id, name, "".join(pieces)) for id, (name, pieces) in self.written.items()
        ]

    def settle(self) -> None:
        """Hold what has come in less memory."""
        self.text.settle()
        self.arguments.settle()
        if self.held:
            self.held.settle()

    def placed_thinking(self) -> list[Block]:
        """The thinking blocks to be remembered, in order; each that does not stand in front says where it does."""
        return [
            block | {"after": {"characters": characters, "of": self.text_length, "calls": calls}}
            if characters or calls
            else block
            for block, (characters, calls) in zip(self.thinking, self.places, strict=True)
        ]


class AnswerBlock:
    """A content block, told as deltas while it opens, grows and closes."""

    grows_by = ""
    """The field of the deltas that are this block's own."""

    def __init__(self, block: Block, so_far: AnswerSoFar) -> None:
        self.block = block
        self.so_far = so_far

    def opened(self) -> Deltas:
        return []

    def grown(self, delta: Block) -> Deltas:
        return []

    def closed(self) -> Deltas:
        return []

    def settle(self) -> None:
        """Hold what has come in less memory."""


class OmittedBlock(AnswerBlock):
    """A block that a chat completion does not show: a server tool, its result, or a type of tomorrow."""

    def opened(self) -> Deltas:
        type = self.block.get("type")
        if isinstance(type, str):
            self.so_far.omitted[type] = None
        return []


class TextBlock(AnswerBlock):
    """Text becomes content; its citations of web pages become annotations when it closes."""

    grows_by = "text"

    def opened(self) -> Deltas:
        self.start = self.so_far.text_length
        citations = self.block.get("citations")
        self.citations = [*citations] if isinstance(citations, list) else []
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
        so_far = self.so_far
        if so_far.json_text is not None:
            text = so_far.json_text.feed(text)
            if not text:
                return []
        elif so_far.held is not None:
            so_far.held.append(text)
            return []
        so_far.text.append(text)
        so_far.text_length += len(text)
        return [{"content": text}]

    def closed(self) -> Deltas:
        annotations: Deltas = []
        if self.start == self.so_far.text_length:
            return annotations
        place = {"start_index": self.start, "end_index": self.so_far.text_length}
        for citation in self.citations:
            url = cited_page(citation)
            if url is not None:
                title = citation.get("title")
                page = place | {"url": url, "title": title if isinstance(title, str) else ""}
                annotations.append({"index": self.so_far.annotations, "type": "url_citation", "url_citation": page})
                self.so_far.annotations += 1
            elif isinstance(citation, dict):
                self.so_far.citations.append(place | citation)
        return [{"annotations": annotations}] if annotations else []


def cited_page(citation: Any) -> str | None:
    """The address that a citation names, if it is one of a web page or of a search result that has one."""
    if not isinstance(citation, dict):
        return None
    url = citation.get("url")
    if isinstance(url, str):
        return url
    source = citation.get("source")
    return source if isinstance(source, str) and source.startswith(("https://", "http://")) else None


class ThinkingBlock(AnswerBlock):
    """Thinking becomes reasoning_content; a signed block is given whole when it closes, to be sent back unchanged."""

    grows_by = "thinking"

    def __init__(self, block: Block, so_far: AnswerSoFar) -> None:
        super().__init__(block, so_far)
        self.place = (so_far.text_length, so_far.calls)
        self.text = GrowingText()

    def opened(self) -> Deltas:
        text, signature = self.block.get("thinking"), self.block.get("signature")
        self.signature = signature if isinstance(signature, str) else ""
        if not isinstance(text, str) or not text:
            return []
        self.text.append(text)
        return [{"reasoning_content": text}]

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

    def settle(self) -> None:
        self.text.settle()

    def _whole(self, block: Block, shown: object) -> Deltas:
        index = len(self.so_far.thinking)
        self.so_far.thinking.append(block)
        self.so_far.places.append(self.place)
        return [{"thinking_blocks": [{"index": index, **block}]}] if shown else []


class RedactedThinkingBlock(ThinkingBlock):
    """Encrypted thinking: nothing to show, everything to send back."""

    grows_by = ""

    def opened(self) -> Deltas:
        return []

    def grown(self, delta: Block) -> Deltas:
        return []

    def closed(self) -> Deltas:
        data = self.block.get("data")
        return self._whole({"type": "redacted_thinking", "data": data}, data) if isinstance(data, str) else []


_UNOPENED = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
"""What a delta for a block that was never opened belongs to; arguments without a tool's name are of no use."""


def missing_block(delta: Block, block: AnswerBlock | None) -> str | None:
    """The type of the block that `delta` should have been sent for, when it is not `block`.

    Some upstreams never start a block, or let the text follow the thinking without a new one.
    """
    type = delta.get("type")
    kind = _UNOPENED.get(type) if isinstance(type, str) else None
    if kind is None or block is None:
        return kind
    misplaced = block.grows_by and block.grows_by != kind and isinstance(delta.get(kind), str) and delta[kind]
    return kind if misplaced else None
