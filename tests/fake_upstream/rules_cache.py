"""Rules about cache breakpoints."""

from collections.abc import Iterator
from typing import Any

from .conversation import blocks, blocks_with_paths
from .terms import Body, Rule, Terms

MAX_BREAKPOINTS = 4


def _breakpoints(body: Body) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, cache_control) in the order in which the cache sees them: tools, system, messages."""
    tools = ((f"tools.{i}", tool) for i, tool in enumerate(body.get("tools", [])))
    system = ((f"system.{i}", block) for i, block in enumerate(blocks(body.get("system"))))
    for path, part in (*tools, *system, *blocks_with_paths(body), ("", body)):
        if part.get("cache_control"):
            yield f"{path}.cache_control".lstrip("."), part["cache_control"]


def too_many_breakpoints(body: Body, _terms: Terms) -> str | None:
    """More than four, the automatic one at the top included."""
    count = sum(1 for _ in _breakpoints(body))
    if count <= MAX_BREAKPOINTS:
        return None
    return f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}."


def long_lived_after_short_lived(body: Body, _terms: Terms) -> str | None:
    """One hour must come before five minutes."""
    short = False
    for path, control in _breakpoints(body):
        if control.get("ttl") == "1h" and short:
            return (
                f"{path}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control "
                "block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
        short = short or control.get("ttl", "5m") == "5m"
    return None


RULES: tuple[Rule, ...] = (too_many_breakpoints, long_lived_after_short_lived)
