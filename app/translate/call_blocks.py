"""Tool calls of an answer as they open, grow and close, each told as deltas of a chat completion."""

from __future__ import annotations

import json
from typing import Any

import orjson

from app.errors import UpstreamBroken
from app.translate.answer_blocks import AnswerBlock, AnswerSoFar, Block, Deltas, OmittedBlock
from app.translate.growing_text import GrowingText
from app.translate.tools import CUSTOM_INPUT, ToolForm

_TOO_DEEP = "The upstream's answer is nested too deeply."


def call_block(block: Block, so_far: AnswerSoFar, form: ToolForm) -> AnswerBlock:
    """The reader of a `tool_use` block whose tool the client knows in `form`."""
    if form.json_answer:
        return JsonAnswerBlock(block, so_far, form)
    if so_far.legacy and so_far.calls:
        # `function_call` has room for one call; the pieces of a second would be joined to the first's.
        return OmittedBlock(block, so_far)
    return CallBlock(block, so_far, form) if form.verbatim else WholeCallBlock(block, so_far, form)


class CallBlock(AnswerBlock):
    """A tool call whose arguments are handed on as they come."""

    def __init__(self, block: Block, so_far: AnswerSoFar, form: ToolForm) -> None:
        super().__init__(block, so_far)
        self.form = form
        self.started = False

    def opened(self) -> Deltas:
        so_far = self.so_far
        self.position = so_far.calls
        so_far.calls += 1
        self.id = self._unique_id()
        name = self.form.name
        self.written = GrowingText()
        so_far.written[self.id] = (name, self.written)
        if so_far.legacy:
            return [{"function_call": {"name": name, "arguments": ""}}]
        call: Block = {"index": self.position, "id": self.id}
        if self.form.custom:
            call |= {"type": "custom", "custom": {"name": name, "input": ""}}
        else:
            call |= {"type": "function", "function": {"name": name, "arguments": ""}}
        return [{"tool_calls": [call]}]

    def _unique_id(self) -> str:
        """The upstream's id as it is; where it gives none, or one twice, one that no other answer has."""
        id = self.block.get("id")
        if isinstance(id, str) and id and id not in self.so_far.written:
            return id
        return f"call_{self.so_far.id.removeprefix('chatcmpl-')}_{self.position}"

    def grown(self, delta: Block) -> Deltas:
        piece = delta.get("partial_json")
        if not isinstance(piece, str) or not piece or (not self.started and piece.isspace()):
            return []
        self.started = True
        return self._arguments(piece)

    def _arguments(self, piece: str) -> Deltas:
        self.so_far.arguments.append(piece)
        self.written.append(piece)
        if self.so_far.legacy:
            return [{"function_call": {"arguments": piece}}]
        return [{"tool_calls": [{"index": self.position, "function": {"arguments": piece}}]}]

    def settle(self) -> None:
        self.written.settle()

    def closed(self) -> Deltas:
        return [] if self.started else self._arguments(input_text(self.block.get("input")))


class WholeCallBlock(CallBlock):
    """A call whose arguments must be read before the client's own form of them can be told."""

    def opened(self) -> Deltas:
        self.pieces = GrowingText()
        return super().opened()

    def grown(self, delta: Block) -> Deltas:
        piece = delta.get("partial_json")
        self.pieces += [piece] if isinstance(piece, str) else []
        return []

    def settle(self) -> None:
        self.pieces.settle()

    def closed(self) -> Deltas:
        value = input_value("".join(self.pieces), self.block.get("input"))
        if not self.form.custom:
            return self._arguments(own_arguments(value, self.form))
        text = value.get(CUSTOM_INPUT, "") if isinstance(value, dict) else value
        text = text if isinstance(text, str) else compact(text)
        self.so_far.arguments.append(text)
        self.written.append(text)
        if self.so_far.legacy or not text:
            return []
        return [{"tool_calls": [{"index": self.position, "custom": {"input": text}}]}]


class JsonAnswerBlock(AnswerBlock):
    """The call of the tool that stands in for response_format: its input is the content."""

    def __init__(self, block: Block, so_far: AnswerSoFar, form: ToolForm) -> None:
        super().__init__(block, so_far)
        self.form = form
        self.pieces = GrowingText()

    def opened(self) -> Deltas:
        self.superfluous = self.so_far.json_answered
        self.so_far.json_answered = True
        return []

    def grown(self, delta: Block) -> Deltas:
        piece = delta.get("partial_json")
        if not isinstance(piece, str) or not piece or (not self.pieces and piece.isspace()):
            return []
        self.pieces.append(piece)
        return self._content(piece) if self.form.verbatim and not self.superfluous else []

    def settle(self) -> None:
        self.pieces.settle()

    def _content(self, piece: str) -> Deltas:
        self.so_far.arguments.append(piece)
        return [{"content": piece}]

    def closed(self) -> Deltas:
        if self.superfluous or (self.pieces and self.form.verbatim):
            return []
        value = input_value("".join(self.pieces), self.block.get("input"))
        return self._content(own_arguments(value, self.form))


def input_text(input: Any) -> str:
    """A call's arguments from an input that came whole: an object, or some upstreams' JSON text of one."""
    given = {} if _is_blank(input) else input
    return given if isinstance(given, str) else compact(given)


def input_value(source: str, whole: Any) -> Any:
    """The input in the pieces `source`, else the one that came `whole`; what is no JSON stays the text it is."""
    given = whole if _is_blank(source) else source
    if not isinstance(given, str):
        return given or {}
    try:
        return {} if _is_blank(given) else json.loads(given)
    except (ValueError, RecursionError):
        return given


def _is_blank(input: Any) -> bool:
    return not input or (isinstance(input, str) and input.isspace())


def own_arguments(value: Any, form: ToolForm) -> str:
    """Arguments as the client's schema has them: unwrapped, with its own property names."""
    if form.wrapped and isinstance(value, dict) and "value" in value:
        value = value["value"]
    elif isinstance(value, str):
        # Cut by max_tokens, or not JSON at all: handed on as it came.
        return value
    try:
        return compact(_own_keys(value, form.renamed))
    except RecursionError:
        raise UpstreamBroken(_TOO_DEEP) from None


def _own_keys(value: Any, names: dict[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {names.get(key, key): _own_keys(child, names) for key, child in value.items()}
    return [_own_keys(child, names) for child in value] if isinstance(value, list) else value


def compact(value: Any) -> str:
    """`value` as JSON text without blanks. Raises UpstreamBroken for one nested deeper than any API reads."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        pass
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        raise UpstreamBroken(_TOO_DEEP) from None
