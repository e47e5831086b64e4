"""One message as a personality writes it: as buffered JSON, as events, as SSE frames."""

import json
from collections.abc import Iterator
from typing import Any

from .personalities import Personality
from .terms import Block

Event = dict[str, Any]

PIECE = 12
CACHE_USAGE = ("cache_creation_input_tokens", "cache_read_input_tokens")


def encoded(value: Any) -> bytes:
    """JSON in UTF-8; with escapes only where half a surrogate pair leaves no other way."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def _without_nulls(value: dict[str, Any], personality: Personality) -> dict[str, Any]:
    return {k: v for k, v in value.items() if v is not None} if personality.leaves_nulls_out else value


def buffered(message: dict[str, Any], personality: Personality) -> dict[str, Any]:
    """The message as the answer to a request without stream."""
    usage = message["usage"]
    if personality.delta_usage == "output":
        usage = {name: usage[name] for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")}
    return _without_nulls({**message, "usage": _without_nulls(usage, personality)}, personality)


def _start_usage(usage: dict[str, Any], personality: Personality) -> dict[str, Any]:
    if personality.start_usage == "zeros":
        return {"input_tokens": 0, "output_tokens": 0}
    if personality.start_usage == "estimate":
        return {"input_tokens": usage["input_tokens"] + 7, "output_tokens": 0}
    return {**{name: usage[name] for name in ("input_tokens", *CACHE_USAGE)}, "output_tokens": 1}


def _delta_usage(usage: dict[str, Any], personality: Personality) -> dict[str, Any]:
    if personality.delta_usage == "output":
        return {"output_tokens": usage["output_tokens"]}
    return {name: value for name, value in usage.items() if value is not None}


def _message_start(message: dict[str, Any], personality: Personality) -> Event:
    start = {
        "id": message["id"],
        "type": "message",
        "role": "assistant",
        "model": message["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _start_usage(message["usage"], personality),
    }
    if not personality.start_has_type_and_role:
        del start["type"], start["role"]
    return {"type": "message_start", "message": _without_nulls(start, personality)}


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def _block_start(block: Block, personality: Personality) -> Block:
    """The block as content_block_start shows it: emptied of what deltas will bring."""
    kind = block["type"]
    if kind == "text":
        return {"type": kind, "text": "", **({"citations": []} if "citations" in block else {})}
    if kind == "thinking":
        return {"type": kind, "thinking": "", **({"signature": ""} if "signature" in block else {})}
    if kind in ("tool_use", "server_tool_use"):
        bare = {name: value for name, value in block.items() if name != "input"}
        return {**bare, "input": {}} if personality.tool_start_has_input else bare
    return block


def _deltas(block: Block, personality: Personality) -> Iterator[dict[str, Any]]:
    kind = block["type"]
    if kind == "text":
        for citation in block.get("citations") or ():
            yield {"type": "citations_delta", "citation": citation}
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"], PIECE))
    elif kind == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"], PIECE))
        if "signature" in block:
            yield {"type": "signature_delta", "signature": block["signature"]}
    elif kind in ("tool_use", "server_tool_use"):
        arguments = json.dumps(block["input"], ensure_ascii=False)
        whole = personality.arguments_in_one_piece
        pieces = [arguments] if whole else ["", *(_pieces(arguments, PIECE) if block["input"] else ())]
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


def _block_events(message: dict[str, Any], personality: Personality) -> Iterator[Event]:
    stops = []
    for index, block in enumerate(message["content"]):
        start = _block_start(block, personality)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if personality.pings and index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block, personality):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        stops.append({"type": "content_block_stop", "index": index})
        if not personality.stops_at_end:
            yield stops.pop()
    yield from stops


def events(message: dict[str, Any], personality: Personality) -> list[Event]:
    """The message as the events of a stream."""
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    if message["stop_details"] is not None:
        ending["stop_details"] = message["stop_details"]
    if message.get("container") is not None:
        ending["container"] = message["container"]
    return [
        _message_start(message, personality),
        *_block_events(message, personality),
        {
            "type": "message_delta",
            "delta": _without_nulls(ending, personality),
            "usage": _delta_usage(message["usage"], personality),
        },
        {"type": "message_stop"},
    ]


def _padded(data: bytes) -> bytes:
    """Blanks before the last brace and after it, as Anthropic's streams have them."""
    return data[:-1] + b" " * (len(data) % 7) + b"}" + b" " * (len(data) % 3)


def frame(event: Event, personality: Personality) -> bytes:
    """One SSE frame."""
    data = b'{"type": "ping"}' if event["type"] == "ping" else encoded(event)
    data = _padded(data) if personality.pads_json and event["type"] != "ping" else data
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), data)


def frames(stream: list[Event], personality: Personality) -> list[bytes]:
    """The SSE frames of a stream's events."""
    opening = [b": keep-alive\n\n"] if personality.keep_alive_comment else []
    return opening + [frame(event, personality) for event in stream]
