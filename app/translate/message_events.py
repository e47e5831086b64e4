"""A whole message <-> the events that stream it, for upstreams that answer in the form that was not asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from app.errors import UpstreamBroken
from app.translate.assistant import RAW_ARGUMENTS
from app.translate.documented_events import CALLS, DocumentedEvents
from app.translate.stop_reason import stop_reason_of
from app.translate.upstream_error import stream_error
from app.translate.usage import merged_usage

Event = dict[str, Any]
Message = dict[str, Any]


def message_events(message: Message) -> Iterator[Event]:
    """The events of `message`, each block whole in its content_block_start."""
    content = message.get("content")
    start: Message = {"content": [], "stop_reason": None} | (
        {"stop_sequence": None} if "stop_sequence" in message else {}
    )
    yield {"type": "message_start", "message": message | start}
    for index, block in enumerate(content if isinstance(content, list) else ()):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    fields = ("stop_reason", "stop_sequence", "stop_details", "container")
    delta = {name: message[name] for name in fields if name in message} | {"stop_reason": stop_reason_of(message)}
    yield {"type": "message_delta", "delta": delta, "usage": message.get("usage")}
    yield {"type": "message_stop"}


def streamed_events(message: Message) -> Iterator[Event]:
    """The events of `message` as Anthropic streams them: blocks start empty and grow by deltas.

    What its SDKs build upon (type, role, usage) is there although the upstream left it out.
    """
    return chain.from_iterable(map(DocumentedEvents().feed, message_events(message)))


def folded_message(events: Iterable[Event]) -> Message:
    """The message that `events` stream.

    Raises UpstreamRefusal for an `error` event, UpstreamBroken if neither message_stop nor a stop_reason came.
    """
    message: Message = {"type": "message", "role": "assistant", "content": [], "stop_reason": None}
    blocks: list[_GrowingBlock] = []
    documented = DocumentedEvents()
    for event in chain.from_iterable(map(documented.feed, events)):
        kind = event.get("type")
        if kind == "error":
            raise stream_error(event)
        if kind == "message_start":
            message |= event["message"] | {"content": []}
        elif kind == "content_block_start":
            blocks.append(_GrowingBlock(event["content_block"]))
        elif kind == "content_block_delta":
            blocks[event["index"]].grow(event["delta"])
        elif kind == "message_delta":
            told = event["delta"].items()
            message |= {name: value for name, value in told if value is not None or name not in message}
            message["usage"] = merged_usage(merged_usage({}, message.get("usage")), event["usage"])
        elif kind == "message_stop":
            message["stop_reason"] = message.get("stop_reason") or "end_turn"
            break
    if not message.get("stop_reason"):
        raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
    message["content"] = [block.whole() for block in blocks]
    return message


def documented_message(message: Message) -> Message:
    """`message`; completed as its stream would be, where a field is missing on which clients of Anthropic's SDKs fail.

    Servers that leave out what is empty send no content, no input or no usage.
    """
    usage, content = message.get("usage"), message.get("content")
    complete = (
        isinstance(content, list)
        and all(map(_has_its_input, content))
        and bool(message.get("stop_reason"))
        and isinstance(usage, dict)
        and isinstance(usage.get("input_tokens"), int)
        and isinstance(usage.get("output_tokens"), int)
    )
    return message if complete else folded_message(streamed_events(message))


def _has_its_input(block: Any) -> bool:
    return isinstance(block, dict) and (block.get("type") not in CALLS or isinstance(block.get("input"), dict))


class _GrowingBlock:
    """A content block. Its pieces are joined once, at the end: there may be very many."""

    def __init__(self, block: Event) -> None:
        self._block = dict(block)
        self._pieces: dict[str, list[str]] = {}

    def grow(self, delta: Event) -> None:
        kind = delta.get("type")
        if kind == "signature_delta":
            self._block["signature"] = delta.get("signature")
        elif kind == "citations_delta":
            citations = self._block.get("citations")
            self._block["citations"] = [*(citations if isinstance(citations, list) else ()), delta.get("citation")]
        else:
            for name in ("text", "thinking", "partial_json"):
                if isinstance(delta.get(name), str):
                    self._pieces.setdefault(name, []).append(delta[name])

    def whole(self) -> Event:
        block = self._block
        for name in ("text", "thinking"):
            if name in self._pieces:
                begun = block.get(name)
                block[name] = (begun if isinstance(begun, str) else "") + "".join(self._pieces[name])
        if block.get("type") in CALLS:
            source = "".join(self._pieces.get("partial_json", ()))
            block["input"] = _parsed(source) if source.strip() else block.get("input") or {}
        return block


def _parsed(source: str) -> Any:
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        # Cut by max_tokens: what came of the arguments is kept as it is.
        return {RAW_ARGUMENTS: source}
