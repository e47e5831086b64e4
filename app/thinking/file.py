"""Thinking blocks in an SQLite file that all workers of one machine and user share."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import orjson

from app.thinking.memory import MAX_AGE_SECONDS, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_TOTAL_BYTES, Blocks

BUSY_SECONDS = 0.2
"""How long a write waits for another worker's; it blocks the event loop."""
RECOVERY_SECONDS = 10.0
"""How long a file that failed is left alone."""
_TABLE = "CREATE TABLE IF NOT EXISTS blocks (owner TEXT, id TEXT, at REAL, blocks BLOB, UNIQUE (owner, id))"
_logger = logging.getLogger("anthropic_proxy.thinking_store")


class FileStore:
    """The file at `path`, opened at first use, once in each process. Failures cost blocks, never a request."""

    def __init__(
        self,
        path: Path,
        max_entries: int = MAX_ENTRIES,
        max_age: float = MAX_AGE_SECONDS,
        max_bytes: int = MAX_TOTAL_BYTES,
        recovery: float = RECOVERY_SECONDS,
    ) -> None:
        self._path = path
        self._max_entries = max_entries
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._recovery = recovery
        self._ask_at = float("-inf")
        self._failing = False
        self._connection: sqlite3.Connection | None = None
        # `flask run` serves each request in a thread of its own.
        self._lock = threading.Lock()

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        """Keep the blocks of each call; the oldest leave when there are too many."""

        def store(connection: sqlite3.Connection) -> None:
            now = time.time()
            rows = [(owner, id, now, orjson.dumps(blocks)) for id, blocks in blocks_by_call.items()]
            rows = [row for row in rows if len(row[3]) <= MAX_ENTRY_BYTES]
            try:
                self._write(connection, rows, now)
            except sqlite3.OperationalError as error:
                if "full" not in str(error):
                    raise
                with connection:
                    connection.execute("DELETE FROM blocks WHERE rowid <= (SELECT avg(rowid) FROM blocks)")
                self._write(connection, rows, now)

        self._forgiving(store)

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        """The blocks of those calls that are still known."""
        found: dict[str, Blocks] = {}

        def load(connection: sqlite3.Connection) -> None:
            for ids in _portions(call_ids, 500):
                marks = ",".join("?" * len(ids))
                query = f"SELECT id, blocks FROM blocks WHERE owner = ? AND at >= ? AND id IN ({marks})"
                rows = connection.execute(query, (owner, time.time() - self._max_age, *ids))
                found.update((id, orjson.loads(blocks)) for id, blocks in rows)

        self._forgiving(load)
        return found

    def _write(self, connection: sqlite3.Connection, rows: list[tuple[str, str, float, bytes]], now: float) -> None:
        with connection:
            connection.execute("DELETE FROM blocks WHERE at < ?", (now - self._max_age,))
            connection.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", rows)
            newest = "(SELECT max(rowid) FROM blocks)"
            connection.execute(f"DELETE FROM blocks WHERE rowid <= {newest} - ?", (self._max_entries,))

    def _forgiving(self, task: Callable[[sqlite3.Connection], None]) -> None:
        """Run `task`; of failures in a row only the first is told, and each gets the file left alone for a while."""
        with self._lock:
            if time.monotonic() < self._ask_at:
                return
            try:
                task(self._opened())
            except (sqlite3.Error, OSError, ValueError, TypeError) as error:
                self._ask_at = time.monotonic() + self._recovery
                if not self._failing:
                    _logger.warning("the store of thinking blocks failed, requests go on without it: %s", error)
                self._failing = True
                self._discard_if_corrupt(error)
            else:
                self._failing = False

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA secure_delete = ON")
                page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count = {self._max_bytes // page_bytes}")
                connection.execute(_TABLE)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _discard_if_corrupt(self, error: Exception) -> None:
        """A file that is no database is of no use to anyone; a busy one is."""
        if type(error) is not sqlite3.DatabaseError:
            return
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for name in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{self._path}{name}")


def _portions(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def shared_path(base: Path | None = None) -> Path | None:
    """The file that all workers of this user share, in a directory nobody else can enter; None where that cannot be.

    `base` is where that directory lies: memory if the machine has it, for the blocks are nobody's archive.
    """
    if base is None:
        base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    directory = base / f"anthropic-proxy-{os.getuid()}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return directory / "thinking.sqlite3" if private else None
