"""Prompt cache breakpoints: read from the client's parts, limited to what the API takes, or placed by the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.profiles import Profile
from app.translate.checks import an_object
from app.translate.report import Report

MAX_BREAKPOINTS = 4
"""`A maximum of 4 blocks with cache_control may be provided. Found 5.` (observed message)"""

Block = dict[str, Any]


def cache_control(part: Block, path: str) -> Block:
    """`{"cache_control": {...}}` if the client marked `part`, in Anthropic's or OpenAI's way, else `{}`.

    OpenAI's `prompt_cache_breakpoint {mode: "explicit", ttl: "30m"|"12h"}` has no equal ttl; 12h becomes 1h.
    """
    mark = part.get("cache_control")
    if mark is not None:
        ttl = an_object(mark, f"{path}.cache_control").get("ttl")
        return _ephemeral("1h" if ttl == "1h" else ("5m" if ttl == "5m" else None))
    mark = part.get("prompt_cache_breakpoint")
    if mark is not None:
        return _ephemeral("1h" if an_object(mark, f"{path}.prompt_cache_breakpoint").get("ttl") == "12h" else None)
    return {}


def _ephemeral(ttl: str | None) -> Block:
    return {"cache_control": {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})}


def place_breakpoints(request: Block, automatic: bool, profile: Profile, report: Report) -> None:
    """Leave legal breakpoints only: at most four, the oldest dropped, never `1h` behind `5m`.

    With `automatic`, a request without any gets them on its last tool, its system prompt and its last two user turns.
    """
    marked = [block for block in _cacheable(request) if "cache_control" in block]
    if not profile.cache_control:
        for block in marked:
            del block["cache_control"]
            report.ignore("cache_control")
        return
    if automatic and not marked:
        marked = list(_automatic(request))
        for block in marked:
            block["cache_control"] = {"type": "ephemeral"}
    for block in marked[:-MAX_BREAKPOINTS]:
        del block["cache_control"]
        report.adjust("cache_control", f"last {MAX_BREAKPOINTS}")
    short_seen = False
    for block in marked[-MAX_BREAKPOINTS:]:
        mark = block["cache_control"]
        if "ttl" in mark and (not profile.cache_ttl or (short_seen and mark["ttl"] == "1h")):
            report.adjust("cache_control.ttl", "5m")
            del mark["ttl"]
        short_seen = short_seen or mark.get("ttl") != "1h"


def _cacheable(request: Block) -> Iterator[Block]:
    """Every block that can hold a breakpoint, in the order in which the prompt is built."""
    yield from request.get("tools", ())
    if isinstance(request.get("system"), list):
        yield from request["system"]
    for message in request["messages"]:
        if isinstance(message["content"], list):
            for block in message["content"]:
                yield block
                if isinstance(block.get("content"), list):
                    yield from block["content"]


def _automatic(request: Block) -> Iterator[Block]:
    if request.get("tools"):
        yield request["tools"][-1]
    system = request.get("system")
    if isinstance(system, str) and system:
        request["system"] = system = [{"type": "text", "text": system}]
    if system:
        yield system[-1]
    users = [message for message in request["messages"] if message["role"] == "user"]
    for message in users[-2:]:
        if isinstance(message["content"], list):
            yield message["content"][-1]
