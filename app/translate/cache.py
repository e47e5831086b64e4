"""Prompt cache breakpoints: read from the client's parts, limited to what the API takes, or placed by the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.profiles.profile import Profile
from app.translate.checks import an_object, optional_string
from app.translate.report import Report

MAX_BREAKPOINTS = 4
"""`A maximum of 4 blocks with cache_control may be provided. Found 5.` (observed message)"""

Block = dict[str, Any]


def cache_control(part: Block, path: str) -> Block:
    """`{"cache_control": {...}}` if the client marked `part`, in Anthropic's or OpenAI's way, else `{}`.

    OpenAI's `prompt_cache_breakpoint {mode: "explicit", ttl: "30m"|"12h"}` has no equal ttl; 12h becomes 1h.
    """
    if "cache_control" not in part and "prompt_cache_breakpoint" not in part:
        return {}
    for name, long in (("cache_control", "1h"), ("prompt_cache_breakpoint", "12h")):
        mark = part.get(name)
        if mark is not None:
            here = f"{path}.{name}" if path else name
            ttl = optional_string(an_object(mark, here), "ttl", here)
            kept = {"ttl": "1h"} if ttl == long else {"ttl": "5m"} if ttl == "5m" else {}
            return {"cache_control": {"type": "ephemeral"} | kept}
    return {}


def place_breakpoints(request: Block, asked: Block, automatic: bool, profile: Profile, report: Report) -> None:
    """Leave legal breakpoints only: at most four, the oldest dropped, never `1h` behind `5m`.

    `asked` is `cache_control` at the top of the request: one on the last block. With `automatic`, a request without any
    gets them on its last tool, its system prompt and its last two user turns.
    """
    marked = [block for block in _cacheable(request) if "cache_control" in block]
    if not profile.cache_control:
        for block in marked:
            del block["cache_control"]
        if marked or asked:
            report.ignore("cache_control")
        return
    if asked:
        last = list(_cacheable(request))[-1]
        marked = [block for block in marked if block is not last] + [last]
        last.update(asked)
    elif automatic and not marked:
        marked = list(_automatic(request))
        for block in marked:
            block["cache_control"] = {"type": "ephemeral"}
    for block in marked[:-MAX_BREAKPOINTS]:
        del block["cache_control"]
        report.adjust("cache_control", f"last {MAX_BREAKPOINTS}")
    _order_lifetimes(marked[-MAX_BREAKPOINTS:], profile, report)


def _order_lifetimes(marked: list[Block], profile: Profile, report: Report) -> None:
    """`a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block` (observed message)."""
    short_seen = False
    for block in marked:
        mark = block["cache_control"]
        if "ttl" in mark and (not profile.cache_ttl or (short_seen and mark["ttl"] == "1h")):
            if mark["ttl"] != "5m":
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
    # `cannot have both defer_loading=true and cache_control set` (observed message)
    loaded = [tool for tool in request.get("tools", ()) if not tool.get("defer_loading")]
    if loaded:
        yield loaded[-1]
    system = request.get("system")
    if isinstance(system, str) and system:
        request["system"] = system = [{"type": "text", "text": system}]
    if system:
        yield system[-1]
    users = [message for message in request["messages"] if message["role"] == "user"]
    for message in users[-2:]:
        if isinstance(message["content"], list):
            yield message["content"][-1]
