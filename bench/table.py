"""The table: a row for each kind of work, a column for each gateway, medians with ratios to this project's own."""

from __future__ import annotations

import platform
import statistics
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.rows import Row

_PACKAGES = ("gunicorn", "gevent", "Flask", "requests", "orjson", "httptools")


@dataclass
class Cell:
    """What the rounds of one row gave for one target; `failure`: why its answers do not count."""

    values: list[float] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values and not self.failure else None

    def text(self, reference: float | None) -> str:
        """The median, and how many times `reference` it is."""
        if self.failure:
            return "wrong"
        if self.median is None:
            return ""
        if self.median == 0:
            return "checked"  # nothing between load and upstream whose CPU time could be told
        ratio = f" ({self.median / reference:.2f}x)" if reference else ""
        return f"{_rounded(self.median)}{ratio}"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


@dataclass
class Table:
    """Cells by row and target; the first target's cells are what the others are compared with."""

    rows: list[Row]
    targets: list[str]
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def cell(self, row: str, target: str) -> Cell:
        return self.cells.setdefault((row, target), Cell())

    def markdown(self) -> str:
        lines = [
            f"| work | unit | goal | {' | '.join(self.targets)} | spread |",
            "|---|---|---|" + "---|" * (len(self.targets) + 1),
        ]
        for row in self.rows:
            cells = [self.cell(row.name, target) for target in self.targets]
            shown = [cells[0].text(None), *(cell.text(cells[0].median) for cell in cells[1:])]
            lines.append(f"| {row.title} | {row.unit} | {row.goal} | {' | '.join(shown)} | {_spread(cells[0])} |")
        return "\n".join(lines)

    def failures(self) -> list[str]:
        return [f"{target}, {row}: {cell.failure}" for (row, target), cell in self.cells.items() if cell.failure]


def _spread(cell: Cell) -> str:
    """Lowest and highest round of the first target."""
    return f"{_rounded(min(cell.values))} to {_rounded(max(cell.values))}" if len(cell.values) > 1 else ""


def machine() -> str:
    """One paragraph: when and where it was measured, with which versions."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return (
        f"{today}, {_cores()} cores of {_processor()}, {_gigabytes()} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {packages}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(missing)"


def _cores() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _gigabytes() -> int:
    return round(int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2)
