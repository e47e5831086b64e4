"""What can be measured: a gateway's process, where it listens, and how it wants to be asked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.answers import MODEL

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 90
STOP_SECONDS = 15


class Unavailable(Exception):
    """A gateway cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Target:
    """A running gateway.

    `pid` 0: nothing between load and upstream. A path of None: that API is not spoken; `streams` False: not streamed.
    """

    name: str
    port: int
    pid: int = 0
    chat_path: str | None = None
    messages_path: str | None = None
    model: str = MODEL
    streams: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain_environment(**added: str) -> dict[str, str]:
    """No setting, key or proxy of whoever runs the benchmark."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
    return kept | {"HOME": tempfile.gettempdir(), "PYTHONDONTWRITEBYTECODE": "1"} | added


@contextlib.contextmanager
def started(command: list[str], environ: Mapping[str, str], cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`command` as a process that writes to `log` and is ended on leaving."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(command: list[str], port: int, environ: Mapping[str, str], cwd: Path, log: Path) -> Iterator[int]:
    """`command` while it listens at `port`; its process id. Raises Unavailable if it does not start."""
    with started(command, environ, cwd, log) as process:
        wait_until(lambda: _listens(port), process, log)
        yield process.pid


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Raises Unavailable with what `process` said if it ends first, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise Unavailable(f"it did not start: {log.read_text(errors='replace')[-2000:] or 'it said nothing'}")


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _is_healthy(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
        return True
    return False


@contextlib.contextmanager
def upstream_running(certificate: Path | None = None) -> Iterator[tuple[int, int]]:
    """The upstream in a process of its own; its port, and the one behind TLS, 0 if there is no `certificate`."""
    command = [sys.executable, "-m", "bench.upstream", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port, tls_port = process.stdout.readline().split()
            yield int(port), int(tls_port)
        finally:
            process.terminate()


def certificate_in(scratch: Path) -> Path | None:
    """A certificate for 127.0.0.1 with its key, which is its own authority; None without the `openssl` command."""
    if shutil.which("openssl") is None:
        return None
    path = scratch / "upstream.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", "-"]
    made = subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


@contextlib.contextmanager
def floor(upstream_port: int, scratch: Path) -> Iterator[Target]:
    """A Flask view that answers at once, served as this project is: nothing on this stack can cost less."""
    port = free_port()
    environ = plain_environment(HOST="127.0.0.1", PORT=str(port), WORKERS="1", PYTHON_DOTENV_DISABLED="1")
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "bench.floor:app"]
    log = scratch / "floor.log"
    with running(command, port, environ, ROOT, log) as pid:
        yield Target("floor", port, pid, "/v1/chat/completions", "/v1/messages", streams=False)


def direct(upstream_port: int) -> Target:
    """The load on the upstream itself: shows that neither of the two is what limits a gateway."""
    return Target("direct", upstream_port, messages_path="/v1/messages")


@contextlib.contextmanager
def proxy(
    upstream_port: int, scratch: Path, root: Path, settings: Mapping[str, str], ca_file: Path | None = None
) -> Iterator[Target]:
    """This project at `root` (this checkout or another) as shipped: gunicorn.conf.py, one worker, everything on.

    The request log and the metrics are on too; the log is written to a file in `scratch`. With `ca_file` the upstream
    is behind TLS.
    """
    port = free_port()
    name = ("proxy" if root == ROOT else root.name) + (", TLS" if ca_file else "")
    own = {
        "UPSTREAM_BASE": f"{'https' if ca_file else 'http'}://127.0.0.1:{upstream_port}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WORKERS": "1",
        "METRICS_PORT": str(free_port()),
        "PYTHON_DOTENV_DISABLED": "1",
    }
    if ca_file:
        own["UPSTREAM_CA_FILE"] = str(ca_file)
    environ = plain_environment(**own | dict(settings))
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    log = scratch / f"{name}.log"
    with started(command, environ, root, log) as process:
        # The master listens before the worker is there.
        wait_until(lambda: _is_healthy(port), process, log)
        yield Target(name, port, process.pid, "/v1/chat/completions", "/v1/messages")
