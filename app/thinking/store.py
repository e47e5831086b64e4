"""Thinking blocks remembered by tool call, for clients that do not send them back.

Bounded in size and age, kept apart by owner (a fingerprint of upstream and key). `shared` is a file that all workers of
this machine and user open; a redis:// URL serves several machines; `memory` one worker only.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Protocol, cast

from app.thinking.file import FileStore, shared_path
from app.thinking.memory import Blocks, MemoryStore

_logger = logging.getLogger("anthropic_proxy.thinking_store")


def owner_of(host: str, credentials: Mapping[str, str]) -> str:
    """A fingerprint under which one client's blocks are kept; the key itself is never stored."""
    key = "\0".join([host, *(value for _, value in sorted(credentials.items()))])
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class ThinkingStore(Protocol):
    """Losing an entry is no error: the conversation goes on without thinking for one turn."""

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        """Keep the thinking blocks that stood before each tool call."""

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        """The blocks of those calls that are still known."""


class NoStore:
    """Remembers nothing."""

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        """Nothing."""

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        """Nothing is known."""
        return {}


def store_for(kind: str) -> ThinkingStore:
    """The store that THINKING_STORE names."""
    if kind == "off":
        return NoStore()
    if "://" in kind:
        # Imported by name: most services run without Redis and need not load its client.
        return cast(ThinkingStore, resolve_name("app.thinking.redis:RedisStore")(kind))
    if kind == "shared":
        path = shared_path()
        if path is not None:
            return FileStore(path)
        _logger.warning("no private directory for the shared store of thinking blocks; each worker keeps its own")
    return MemoryStore()
