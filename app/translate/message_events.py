"""A whole message <-> the events that stream it, for upstreams that answer in the form that was not asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from app.errors import UpstreamBroken
from app.translate.assistant import RAW_ARGUMENTS
from app.translate.error_body import stream_error
from app.translate.usage import merged_usage

Event = dict[str, Any]
Message = dict[str, Any]


def message_events(message: Message) -> Iterator[Event]:
    """The events of `message`, each block whole in its content_block_start."""
    content = message.get("content")
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(content if isinstance(content, list) else ()):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    fields = ("stop_reason", "stop_sequence", "stop_details")
    delta = {name: message.get(name) for name in fields if name in message}
    # Some upstreams leave the reason out of a whole message; its end cannot be missing, so it is a plain one.
    delta["stop_reason"] = delta.get("stop_reason") or "end_turn"
    yield {"type": "message_delta", "delta": delta, "usage": message.get("usage")}
    yield {"type": "message_stop"}


def streamed_events(message: Message) -> Iterator[Event]:
    """The events of `message` as Anthropic streams them: blocks start empty and grow by deltas."""
    for event in message_events(message):
        if event["type"] != "content_block_start":
            yield event
            continue
        block, index = event["content_block"], event["index"]
        growth = list(_growth(block)) if isinstance(block, dict) else []
        yield event | {"content_block": _empty(block) if growth else block}
        for delta in growth:
            yield {"type": "content_block_delta", "index": index, "delta": delta}


def _growth(block: Event) -> Iterator[Event]:
    kind = block.get("type")
    if kind == "text" and block.get("text"):
        yield {"type": "text_delta", "text": block["text"]}
        for citation in block.get("citations") or ():
            yield {"type": "citations_delta", "citation": citation}
    elif kind == "thinking":
        if block.get("thinking"):
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block.get("signature") or ""}
    elif kind in {"tool_use", "server_tool_use"} and block.get("input"):
        source = json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
        yield {"type": "input_json_delta", "partial_json": source}


def _empty(block: Event) -> Event:
    bare: Event = {"text": "", "citations": None, "thinking": "", "signature": "", "input": {}}
    return block | {name: value for name, value in bare.items() if name in block}


def folded_message(events: Iterable[Event]) -> Message:
    """The message that `events` stream.

    Raises UpstreamRefusal for an `error` event, UpstreamBroken if neither message_stop nor a stop_reason came.
    """
    message: Message = {"type": "message", "role": "assistant", "content": [], "stop_reason": None}
    blocks: dict[Any, Event] = {}
    arguments: dict[Any, list[str]] = {}
    ended = False
    for event in events:
        kind, index = event.get("type"), event.get("index")
        if kind == "error":
            raise stream_error(event)
        if kind == "message_start" and isinstance(event.get("message"), dict):
            message |= event["message"] | {"content": []}
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            blocks[index] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            _grow(blocks.setdefault(index, {"type": "text", "text": ""}), arguments, index, event["delta"])
        elif kind == "message_delta":
            message |= event["delta"] if isinstance(event.get("delta"), dict) else {}
            message["usage"] = merged_usage(message.get("usage") or {}, event.get("usage"))
        elif kind == "message_stop":
            ended = True
            break
    if not ended and not message.get("stop_reason"):
        raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
    for index, pieces in arguments.items():
        blocks[index]["input"] = _parsed("".join(pieces))
    message["content"] = list(blocks.values())
    return message


def _grow(block: Event, arguments: dict[Any, list[str]], index: Any, delta: Event) -> None:
    kind = delta.get("type")
    if kind == "text_delta":
        block["text"] = (block.get("text") or "") + (delta.get("text") or "")
    elif kind == "thinking_delta":
        block["thinking"] = (block.get("thinking") or "") + (delta.get("thinking") or "")
    elif kind == "signature_delta":
        block["signature"] = delta.get("signature")
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
    elif kind == "input_json_delta" and delta.get("partial_json"):
        arguments.setdefault(index, []).append(delta["partial_json"])


def _parsed(source: str) -> Any:
    try:
        return json.loads(source)
    except ValueError:
        # Cut by max_tokens: what came of the arguments is kept as it is.
        return {RAW_ARGUMENTS: source}
