"""A copy of the project in a folder of its own, for tests that start and stop the service as a user would."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("app", "scripts", "gunicorn.conf.py", "requirements.txt", "supervisord.conf", "wsgi.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def health_status(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
        return int(response.status)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass
class Project:
    """A project folder and the environment in which its scripts run, none of it the developer's own."""

    root: Path
    port: int = field(default_factory=free_port)

    @property
    def environ(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        return kept | {
            "VENV_DIR": sys.prefix,
            "SKIP_INSTALL": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "UPSTREAM_BASE": "sandbox:",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WORKERS": "1",
        }

    def run(self, script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/{script} from another folder; its stdout and stderr are one text, in `stdout`."""
        return subprocess.run(
            ["bash", str(self.root / "scripts" / script), *arguments],
            cwd="/",
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )

    @property
    def pid_file(self) -> Path:
        return self.root / "anthropic-proxy.pid"

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def processes(self) -> list[psutil.Process]:
        """Every process that works in this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@contextmanager
def copied_project() -> Iterator[Project]:
    # Short, for a unix socket's path ends at about a hundred bytes; with a space, for a user's may have one.
    root = Path(tempfile.mkdtemp(prefix="my proxy ", dir="/tmp")).resolve()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    project = Project(root)
    try:
        yield project
    finally:
        while left := project.processes():  # supervisord may just be starting another
            for process in left:
                process.kill()
        shutil.rmtree(root)


@pytest.fixture
def project() -> Iterator[Project]:
    with copied_project() as project:
        yield project


@pytest.fixture
def other_project() -> Iterator[Project]:
    with copied_project() as project:
        yield project
