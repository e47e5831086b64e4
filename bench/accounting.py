"""CPU time and memory of a process and all its descendants, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


def tree(pid: int) -> list[int]:
    """`pid` and its descendants, threads not counted apart."""
    found = [pid]
    for known in found:
        for task in Path(f"/proc/{known}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """utime + stime of the tree, ended children included; the kernel tells them in ticks of 10 ms."""
    ticks = 0
    for member in tree(pid):
        # The second field, the command's name, may hold blanks and brackets.
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13]))
        if member == pid:
            ticks += sum(map(int, fields[13:15]))
    return ticks / TICKS_A_SECOND


@dataclass(frozen=True)
class Memory:
    """KB of one process or of several: resident, and proportional (a page shared by n counts 1/n)."""

    rss: float
    pss: float

    def __sub__(self, other: Memory) -> Memory:
        return Memory(self.rss - other.rss, self.pss - other.pss)

    def __truediv__(self, count: int) -> Memory:
        return Memory(self.rss / count, self.pss / count)


def memory(pids: list[int]) -> Memory:
    """The sum over `pids`."""
    rss = pss = 0.0
    for pid in pids:
        rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        pss += next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return Memory(rss, pss)


def largest(pids: list[int]) -> int:
    """The process with the most resident memory: the worker, where a master only watches it."""
    return max(pids, key=lambda pid: int(Path(f"/proc/{pid}/statm").read_text().split()[1]))
