"""One number of a worker's metrics, kept in a file that whoever serves the metrics can read at any moment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from prometheus_client.mmap_dict import MmapedDict, mmap_key


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
        """Parameters as prometheus_client names them. Raises OSError where PROMETHEUS_MULTIPROC_DIR is gone."""
        kind = f"{typ}_{multiprocess_mode}" if multiprocess_mode else typ
        file = _file(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"{kind}_{os.getpid()}.db"))
        key = mmap_key(metric_name, name, [*labelnames], [*labelvalues], help_text)
        self._numbers, self._at = file.place(key)

    def inc(self, amount: float) -> None:
        self._numbers[self._at] += amount


class _NumbersFile(MmapedDict):
    """Keys and numbers as MultiProcessCollector reads them."""

    def place(self, key: str) -> tuple[memoryview[float], int]:
        """Where the number of `key` is; it begins with what a process of the same id may have left there."""
        self.read_value(key)  # type: ignore[no-untyped-call]  # makes room for it
        # A file that grows is mapped anew. This view keeps its own mapping, and both are the same memory.
        return memoryview(self._m).cast("d"), self._positions[key] // 8


@cache
def _file(path: str) -> _NumbersFile:
    return _NumbersFile(path)  # type: ignore[no-untyped-call]
