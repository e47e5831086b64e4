"""Numbers of several workers, summed as the library's own would be."""

import contextlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from app.metrics import mapped_value
from app.metrics.mapped_value import MappedValue, _NumbersFile

ROUTES = ("/v1/messages", '"quoted" \\ é')


class Worker:
    """Metrics of every kind in a process of their own, as far as these can tell; to be used in a `with`."""

    def __init__(self, folder: Path, pid: int = 1, mapped: bool = True) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
        self._patch.setattr(os, "getpid", lambda: pid)
        self._patch.setattr(mapped_value, "_file", cache(self._opened))
        self._patch.setattr(values, "ValueClass", MappedValue if mapped else MultiProcessValue(lambda: pid))
        self._files = contextlib.ExitStack()

    def __enter__(self) -> "Worker":
        own = CollectorRegistry()
        self.counter = Counter("answers_total", "Answers", ("route", "status"), registry=own)
        self.gauge = Gauge("open", "Open", multiprocess_mode="livesum", registry=own)
        self.histogram = Histogram("seconds", "Until the end", ("route",), buckets=(0.1, 1, 10), registry=own)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        self._files.close()
        values.close_all_multiprocess_files()

    def _opened(self, path: str) -> _NumbersFile:
        file = _NumbersFile(path)
        # Not file.close(): what was mapped is held by each of its numbers.
        self._files.enter_context(file._f)
        return file

    def count(self, route: str, status: int, seconds: float) -> None:
        self.gauge.inc()
        self.counter.labels(route, str(status)).inc(status)
        self.histogram.labels(route).observe(seconds)
        if status < 3:
            self.gauge.dec()


def exposed(folder: Path) -> list[str]:
    """What a scrape gets; the order of files is not fixed, and with it that of the lines."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return sorted(generate_latest(registry).decode().splitlines())


_counted = st.tuples(st.sampled_from(ROUTES), st.integers(1, 5), st.floats(0, 20))


@given(st.lists(_counted), st.lists(_counted))
@settings(max_examples=30)
def test_they_add_up_as_the_librarys_own(
    tmp_path_factory: pytest.TempPathFactory, first: list[tuple[str, int, float]], second: list[tuple[str, int, float]]
) -> None:
    """The third worker got the process id of the first, and goes on where that ended."""
    found = []
    for mapped in (True, False):
        folder = tmp_path_factory.mktemp("numbers")
        for pid, counted in ((1, first), (2, second), (1, first)):
            with Worker(folder, pid, mapped) as worker:
                for each in counted:
                    worker.count(*each)
        found.append(exposed(folder))
    assert found[0] == found[1]


def test_numbers_are_right_when_their_file_grows(tmp_path: Path) -> None:
    routes = [f"/{number}" for number in range(200)]
    with Worker(tmp_path) as worker:
        early = worker.histogram.labels("early")
        (file,) = tmp_path.glob("histogram_*.db")
        size = file.stat().st_size
        early.observe(5)
        for route in routes:
            worker.histogram.labels(route).observe(0.5)
        assert file.stat().st_size > size
        early.observe(5)
        lines = exposed(tmp_path)
    assert 'seconds_sum{route="early"} 10.0' in lines
    assert all(f'seconds_count{{route="{route}"}} 1.0' in lines for route in routes)


def test_nothing_is_written_where_the_disk_has_given_nothing(tmp_path: Path) -> None:
    """A page of a hole in a file that is mapped takes its space at the first write; on a full disk that is SIGBUS."""
    with Worker(tmp_path) as worker:
        for path in ("/one", "/long" * 20_000):
            worker.count(path, 200, 0.5)
            for file in tmp_path.glob("*.db"):
                assert file.stat().st_blocks * 512 >= file.stat().st_size


def test_a_full_disk_is_an_error_and_leaves_no_empty_file(tmp_path: Path) -> None:
    """In a process that may write so little: half of what a kind needs at first, then half of what it grows by."""
    code = """
import os, resource, signal, sys
from app.metrics.mapped_value import _NumbersFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def refused(bytes, act):
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, -1))
    try:
        act()
    except OSError:
        return True

path = sys.argv[1]
assert refused(30_000, lambda: _NumbersFile(path)) and not os.path.exists(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
file = _NumbersFile(path)
numbers, at = file.place("first")
assert refused(100_000, lambda: [file.place(f"{number}" * 100) for number in range(1000)])
assert os.stat(path).st_size == 65_536
numbers[at] = 7.0
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))
numbers, at = file.place("last" * 5_000)
numbers[at] = 8.0
assert {key: value for key, value, _ in file.read_all_values()}["first"] == 7.0
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "counter_1.db")], check=True, timeout=60)


def test_the_metrics_of_a_worker_are_made_of_them(tmp_path: Path) -> None:
    """The library would go on with its own without a word."""
    code = "from app.metrics import prometheus; print(type(prometheus._open._value).__name__)"
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "MappedValue"
