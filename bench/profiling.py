"""The functions that a row's CPU time goes to, sampled by py-spy from outside the worker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.accounting import largest, tree
from bench.rows import Conditions, Row
from bench.targets import Target, Unavailable

SECONDS = 10
SAMPLES_A_SECOND = 400
# Threads that wait for work; py-spy takes gevent's lock for a running function.
_WAITING = ("acquire_with_timeout (gevent/_threading.py", "wait_for_signals (gunicorn/arbiter.py")


@dataclass(frozen=True)
class Profile:
    """Shares of the samples, by function: with (`own`) and without (`total`) what it calls left out."""

    samples: int
    own: Counter[str]
    total: Counter[str]

    @classmethod
    def read(cls, collapsed: str) -> Profile:
        """From lines of `caller;callee;... samples`."""
        own: Counter[str] = Counter()
        total: Counter[str] = Counter()
        samples = 0
        for line in collapsed.splitlines():
            stack, _, number = line.rpartition(" ")
            functions = stack.split(";")
            if functions[-1].startswith(_WAITING):
                continue
            samples += int(number)
            own[functions[-1]] += int(number)
            total.update(dict.fromkeys(functions, int(number)))
        return cls(samples, own, total)

    def text(self, length: int) -> str:
        lines = []
        for title, counted in (("in the function itself", self.own), ("and in what it calls", self.total)):
            lines.append(f"\n{title}")
            lines += [f"{number / self.samples:7.1%}  {name}" for name, number in counted.most_common(length)]
        return "\n".join(lines)


def profile(row: Row, target: Target, conditions: Conditions, scratch: Path) -> Profile:
    """Samples of the worker while `row` runs. Raises Unavailable without py-spy (`pip install py-spy`)."""
    program = shutil.which("py-spy") or shutil.which(str(Path(sys.executable).with_name("py-spy")))
    if program is None:
        raise Unavailable("py-spy is not installed; pip install py-spy")
    row.measure(target, Conditions(conditions.upstream_port, 1))  # what is loaded at first use is no cost of the row
    samples = scratch / "samples.txt"
    worker = str(largest(tree(target.pid)))
    command = [program, "record", "--pid", worker, "--duration", str(SECONDS), "--rate", str(SAMPLES_A_SECOND)]
    command += ["--format", "raw", "--function", "--nonblocking", "--output", str(samples)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as sampler:
        row.measure(target, Conditions(conditions.upstream_port, SECONDS + 1))
        _, said = sampler.communicate()
    if not samples.exists():
        raise Unavailable(f"py-spy gave nothing: {said[-300:]}")
    return Profile.read(samples.read_text())
