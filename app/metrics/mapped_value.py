"""One number of a worker's metrics, kept in a file that whoever serves the metrics can read at any moment."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence
from functools import cache

from prometheus_client.mmap_dict import MmapedDict, mmap_key

_INITIAL_BYTES = 65_536
_BYTES_BESIDE_A_KEY = 32
"""Its length, what fills it up to a multiple of eight, the number and an instant: at most."""


class MappedValue:
    """A value class for prometheus_client (`values.ValueClass`) whose numbers MultiProcessCollector sums up.

    The library's own asks for the process id, takes a lock and packs two numbers on each addition, a dozen times a
    request. Here an addition is one store to the mapped file, with two conditions: values are made after the fork, and
    one thread adds to them; greenlets of a thread cannot come between.
    """

    __slots__ = ("_at", "_numbers")

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Sequence[str],
        labelvalues: Sequence[str],
        help_text: str,
        multiprocess_mode: str = "",
    ) -> None:
        """Parameters as prometheus_client names them. Raises OSError where PROMETHEUS_MULTIPROC_DIR is gone or full."""
        kind = f"{typ}_{multiprocess_mode}" if multiprocess_mode else typ
        file = _file(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"{kind}_{os.getpid()}.db"))
        key = mmap_key(metric_name, name, [*labelnames], [*labelvalues], help_text)
        self._numbers, self._at = file.place(key)

    def inc(self, amount: float) -> None:
        self._numbers[self._at] += amount


class _NumbersFile(MmapedDict):
    """Keys and numbers as MultiProcessCollector reads them, in bytes that the disk has given already.

    The library only makes the file longer. Where a disk is full, the first write to such a part of what is mapped ends
    the process with SIGBUS.
    """

    def __init__(self, path: str) -> None:
        """Raises OSError where no file can be made, or none of that size."""
        _fill(path, _INITIAL_BYTES)
        super().__init__(path)  # type: ignore[no-untyped-call]

    def place(self, key: str) -> tuple[memoryview[float], int]:
        """Where the number of `key` is; it begins with what a process of the same id may have left there.

        Raises OSError where the file would have to grow and cannot.
        """
        while self._used + len(key.encode()) + _BYTES_BESIDE_A_KEY > self._capacity:
            _fill(self._fname, 2 * self._capacity)
            self._capacity *= 2
            self._m = mmap.mmap(self._f.fileno(), self._capacity)
        self.read_value(key)  # type: ignore[no-untyped-call]  # enters it
        # A file that grows is mapped anew. This view keeps its own mapping, and both are the same memory.
        return memoryview(self._m).cast("d"), self._positions[key] // 8


def _fill(path: str, size: int) -> None:
    """Have the file be of `size` bytes at least, none of which is a hole. Raises OSError, and leaves it as it was."""
    with open(path, "ab", buffering=0) as file:
        had = file.tell()
        try:
            written = file.write(bytes(size - had)) if had < size else 0
            if had + written < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(had)
            if not had:
                os.unlink(path)
            raise


@cache
def _file(path: str) -> _NumbersFile:
    return _NumbersFile(path)
