"""Thinking blocks in the memory of one process, and the limits of every kind of store."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Blocks = list[dict[str, Any]]
MAX_AGE_SECONDS = 6 * 3600
MAX_ENTRIES = 20_000
MAX_ENTRY_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Docker gives a container 64 MB of /dev/shm; what does not fit pushes out the oldest."""


class MemoryStore:
    """In this process only; blocks are kept as JSON, whose size is known."""

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        max_age: float = MAX_AGE_SECONDS,
        max_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self._max_entries = max_entries
        self._max_age = max_age
        self._bytes_left = max_bytes
        self._entries: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        """Keep the blocks of each call; the oldest leave when there are too many."""
        for id, blocks in blocks_by_call.items():
            try:
                value = orjson.dumps(blocks)
            except orjson.JSONEncodeError:
                continue
            self._forget((owner, id))
            if len(value) <= MAX_ENTRY_BYTES:
                self._entries[owner, id] = (time.monotonic(), value)
                self._bytes_left -= len(value)
        while self._entries and (self._bytes_left < 0 or len(self._entries) > self._max_entries):
            self._forget(next(iter(self._entries)))

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        """The blocks of those calls that are still known."""
        oldest = time.monotonic() - self._max_age
        found = ((id, self._entries.get((owner, id))) for id in call_ids)
        return {id: orjson.loads(entry[1]) for id, entry in found if entry and entry[0] >= oldest}

    def _forget(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes_left += len(entry[1])
