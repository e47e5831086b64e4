"""Where the workers keep their numbers, so that whichever serves them can sum them up.

The Prometheus client itself is not imported: it binds `ssl`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

_PREFIX = "anthropic-proxy-metrics-"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""By which the Prometheus client is told the folder."""


def provide(server: Any) -> None:
    """Make the folder unless it is there. Call it before each worker: a reload may be the first to ask for metrics."""
    if not hasattr(server, "metrics_folder"):
        # Whatever this variable was: an upgrade by SIGUSR2 inherits that of the master it replaces.
        os.environ[VARIABLE] = server.metrics_folder = _new_folder()
    elif not os.path.exists(server.metrics_folder):
        # Cleaners of temporary files take it away after some days.
        os.mkdir(server.metrics_folder, 0o700)
        _lock(server.metrics_folder)


def remove_stale() -> None:
    """Remove the folders of services that were killed: whoever lives holds the lock on its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def close_open_requests(worker: Any) -> None:
    """Open requests of a worker that ended are open no more; its counters stay."""
    for gauge in Path(os.environ.get(VARIABLE, "-")).glob(f"gauge_live*_{worker.pid}.db"):
        gauge.unlink(missing_ok=True)


def remove(server: Any) -> None:
    """Remove this service's folder, if it has one."""
    if hasattr(server, "metrics_folder"):
        shutil.rmtree(server.metrics_folder, ignore_errors=True)


def _new_folder() -> str:
    """A new folder, locked for as long as this process or a worker of it lives."""
    while True:
        folder = tempfile.mkdtemp(prefix=_PREFIX)
        _lock(folder)
        if os.path.exists(folder):  # another service may have taken it for stale before the lock
            return folder


def _lock(folder: str) -> None:
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
