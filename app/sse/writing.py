"""Events -> bytes of a stream, as OpenAI and as Anthropic write them."""

from __future__ import annotations

import json
from typing import Any

import orjson

Event = dict[str, Any]

DONE = b"data: [DONE]\n\n"
"""The end of a chat stream that is complete."""
KEEPALIVE = b": keep-alive\n\n"
"""A comment, which readers of a chat stream skip; PING is what Anthropic sends instead."""
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def encode(chunk: Event) -> bytes:
    """`chunk` as OpenAI streams it: one data line."""
    return b"data: " + _dumped(chunk) + b"\n\n"


def encode_event(event: Event) -> bytes:
    """`event` as Anthropic streams it: its type in an event line, then one data line."""
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + _dumped(event) + b"\n\n"


def _dumped(value: Event) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
