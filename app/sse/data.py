"""What one server-sent event tells: the JSON objects in its data, however they are written, each with a type."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from app.translate.upstream_error import error_in_disguise

Event = dict[str, Any]

_SEAM = re.compile(r"\n|data:")
_DECODER = json.JSONDecoder(strict=False)
"""Takes a raw tab or line end in a string, as JSON made by hand has them."""
_ANSWERING = ("content_block_start", "content_block_delta", "message_delta")
"""Events without which an answer would be another one, and look whole."""
_BEGINNING = re.compile(rf'\s*\{{\s*"type"\s*:\s*"(?:{"|".join(_ANSWERING)})"')
_UNREADABLE: Event = {
    "type": "error",
    "error": {"code": 502, "message": "The upstream sent a part of its answer that cannot be read."},
}
_logger = logging.getLogger("anthropic_proxy.sse")


def events_in(name: str, data: str, cut: bool) -> list[Event]:
    """The events in the data of one called `name` in its `event:` line; `cut` says that the end may be missing.

    One, unless frames were cut short or glued together. A part of the answer of which nothing can be read is an error.
    """
    if data.strip() == "[DONE]":
        return []
    try:
        value = _DECODER.decode(data)
        objects = [value] if isinstance(value, dict) else []
    except (ValueError, RecursionError):
        objects = [value for piece in _SEAM.split(data) if (value := _leading_object(piece)) is not None]
        if not cut:
            _logger.warning("an upstream event was not JSON; %d of its parts could be read", len(objects))
            if not objects and (name in _ANSWERING or _BEGINNING.match(data)):
                return [_UNREADABLE]
    return [_typed(value, name) for value in objects or _error_text(name, data)]


def _leading_object(piece: str) -> Event | None:
    piece = piece.lstrip()
    try:
        value = _DECODER.raw_decode(piece)[0] if piece.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _error_text(name: str, data: str) -> list[Event]:
    """An error that some upstreams tell in plain words."""
    if name != "error" or not data.strip() or data.lstrip().startswith("{"):
        return []
    return [{"type": "error", "error": {"message": data.strip()}}]


def _typed(event: Event, name: str) -> Event:
    """`event` with a type: its own, else the one in the `event:` line, else `error` if it reads like one."""
    if name == "error" and event.get("type") != "error":
        bare = "type" in event and "error" not in event
        return {"type": "error", "error": event} if bare else event | {"type": "error"}
    if "type" in event:
        return event
    if name == "message":
        name = "error" if error_in_disguise(event) else ""
    return event | {"type": name}
