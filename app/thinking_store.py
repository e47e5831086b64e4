"""Thinking blocks remembered by tool call id, for clients that do not send them back.

Bounded in size and age, kept apart by owner (a fingerprint of upstream and key). `shared` is an SQLite file that all
workers of this machine and user open; a redis:// URL serves several machines; `memory` one worker only.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import stat
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

Blocks = list[dict[str, Any]]
MAX_AGE_SECONDS = 6 * 3600
MAX_ENTRIES = 20_000
MAX_ENTRY_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 256 * 1024 * 1024
_logger = logging.getLogger("anthropic_proxy.thinking_store")


def owner_of(host: str, credentials: Mapping[str, str]) -> str:
    """A fingerprint under which one client's blocks are kept; the key itself is never stored."""
    key = "\0".join([host, *(value for _, value in sorted(credentials.items()))])
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class ThinkingStore(Protocol):
    """Losing an entry is no error: the conversation goes on without thinking for one turn."""

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None: ...

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]: ...


class NoStore:
    """Remembers nothing."""

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        pass

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        return {}


class MemoryStore:
    """In this process only."""

    def __init__(self, max_entries: int = 2048, max_age: float = MAX_AGE_SECONDS) -> None:
        self._max_entries = max_entries
        self._max_age = max_age
        self._entries: OrderedDict[tuple[str, str], tuple[float, Blocks]] = OrderedDict()

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        for id, blocks in blocks_by_call.items():
            self._entries[owner, id] = (time.monotonic(), blocks)
            self._entries.move_to_end((owner, id))
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        oldest = time.monotonic() - self._max_age
        found = ((id, self._entries.get((owner, id))) for id in call_ids)
        return {id: entry[1] for id, entry in found if entry and entry[0] >= oldest}


class FileStore:
    """An SQLite file that only this user can read; opened at first use, once in each process."""

    def __init__(self, path: Path, max_entries: int = MAX_ENTRIES, max_age: float = MAX_AGE_SECONDS) -> None:
        self._path = path
        self._max_entries = max_entries
        self._max_age = max_age
        self._connection: sqlite3.Connection | None = None

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        now = time.time()
        rows = [(owner, id, now, orjson.dumps(blocks)) for id, blocks in blocks_by_call.items()]
        rows = [row for row in rows if len(row[3]) <= MAX_ENTRY_BYTES]
        with self._forgiving(), self._opened() as connection:
            connection.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", rows)
            connection.execute("DELETE FROM blocks WHERE at < ?", (now - self._max_age,))
            connection.execute(
                "DELETE FROM blocks WHERE rowid <= (SELECT max(rowid) FROM blocks) - ?", (self._max_entries,)
            )

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        found: dict[str, Blocks] = {}
        with self._forgiving(), self._opened() as connection:
            for ids in _portions(call_ids, 500):
                marks = ",".join("?" * len(ids))
                query = f"SELECT id, blocks FROM blocks WHERE owner = ? AND at >= ? AND id IN ({marks})"
                rows = connection.execute(query, (owner, time.time() - self._max_age, *ids))
                found |= {id: orjson.loads(blocks) for id, blocks in rows}
        return found

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=0.2, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {MAX_TOTAL_BYTES // page_bytes}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS blocks (owner TEXT, id TEXT, at REAL, blocks BLOB, UNIQUE (owner, id))"
            )
            self._connection = connection
        return self._connection

    @contextlib.contextmanager
    def _forgiving(self) -> Any:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            _logger.warning("the store of thinking blocks failed: %s", error)


def _portions(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def store_path() -> Path | None:
    """The file that all workers of this user share, in a directory nobody else can enter; None where that cannot be."""
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    directory = base / f"anthropic-proxy-{os.getuid()}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return directory / "thinking.sqlite3" if private else None


def thinking_store(kind: str) -> ThinkingStore:
    """The store that THINKING_STORE names."""
    if kind == "off":
        return NoStore()
    if kind == "shared":
        path = store_path()
        if path is not None:
            return FileStore(path)
        _logger.warning("no private directory for the shared store of thinking blocks; each worker keeps its own")
    return MemoryStore()
