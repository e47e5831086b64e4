"""`gunicorn -c gunicorn.conf.py` as a user types it: from any folder, with mistakes, killed, and reloaded."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from .conftest import Project, free_port, health_status, wait_until


class Gunicorn:
    """A running `gunicorn -c`, and what it has logged so far."""

    def __init__(self, project: Project, environ: dict[str, str], cwd: Path) -> None:
        self._log = project.root / "gunicorn.log"
        self.port = project.port
        command = [sys.executable, "-m", "gunicorn", "-c", str(project.root / "gunicorn.conf.py")]
        kept = {key: value for key, value in (project.environ | environ).items() if value}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=kept, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return health_status(self.port) == 200
        except OSError:
            return False

    def workers(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children())


@contextmanager
def gunicorn(project: Project, cwd: Path | None = None, **environ: str) -> Iterator[Gunicorn]:
    started = Gunicorn(project, environ, cwd or project.root)
    workers: list[psutil.Process] = []
    try:
        wait_until(started.answers)
        workers = started.workers()
        yield started
    finally:
        started.process.send_signal(signal.SIGQUIT)
        started.process.wait(30)
        psutil.wait_procs(workers, 10)


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def refused(project: Project, **environ: str) -> tuple[int, str]:
    """Exit status and log of a gunicorn that does not start."""
    started = Gunicorn(project, environ, project.root)
    try:
        return started.process.wait(30), started.log
    finally:
        started.process.kill()


def test_it_starts_from_any_folder(project: Project, tmp_path: Path) -> None:
    with gunicorn(project, cwd=tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log.count("Booting worker") == 2)
        wait_until(server.answers)


def test_a_setting_that_every_worker_refuses_is_no_traceback(project: Project) -> None:
    status, log = refused(project, WORKERS="3", UPSTREAM_BASE="ftp://nowhere")
    assert status == 4
    assert "UPSTREAM_BASE='ftp://nowhere': expected " in log
    assert "Traceback" not in log


def test_a_metrics_host_that_is_not_ours_stops_the_start(project: Project) -> None:
    status, log = refused(project, METRICS_PORT="1", METRICS_HOST="192.0.2.1")
    assert status == 1
    assert log.startswith("METRICS_HOST='192.0.2.1': expected an address of this machine (")
    assert len(log.splitlines()) == 1


def test_a_taken_metrics_port_is_an_error_in_the_log_and_no_outage(project: Project) -> None:
    with taken_port() as taken, gunicorn(project, METRICS_PORT=str(taken)) as server:
        assert f"[ERROR] METRICS_PORT={taken}: no metrics until it is free on 127.0.0.1 (" in server.log


@pytest.mark.parametrize("key", ["PORT", "METRICS_PORT"])
def test_a_reload_to_a_taken_port_is_refused(project: Project, key: str) -> None:
    # PORT comes from .env here: what is in the environment stays for as long as the master does.
    dotenv = project.root / ".env"
    settings = {"PORT": str(project.port), "METRICS_PORT": str(free_port())}
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with taken_port() as taken, gunicorn(project, PORT="") as server:
        before = server.workers()
        dotenv.write_text("".join(f"{name}={value}\n" for name, value in (settings | {key: str(taken)}).items()))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"the running workers stay: port {taken}: a reload cannot listen on" in server.log)
        assert server.workers() == before
        assert server.answers()

        moved = free_port()
        dotenv.write_text("".join(f"{name}={value}\n" for name, value in (settings | {key: str(moved)}).items()))
        for reloads in (2, 3):  # once it has moved there, the new address is its own
            server.process.send_signal(signal.SIGHUP)
            server.port = moved if key == "PORT" else server.port
            wait_until(lambda reloads=reloads: server.log.count("Booting worker") == reloads)
            wait_until(server.answers)


def test_a_reload_runs_the_code_that_is_there_by_then(project: Project) -> None:
    with gunicorn(project) as server:
        for module in ("server/worker.py", "settings.py"):
            with (project.root / "app" / module).open("a") as source:
                source.write(f"\nimport os, sys\nsys.stderr.write(f'new {module} in {{os.getpid()}}\\n')\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log.count("Booting worker") == 2)
        assert f"new server/worker.py in {server.process.pid}\n" in server.log
        wait_until(lambda: any(f"new settings.py in {worker.pid}\n" in server.log for worker in server.workers()))


def metrics_folders(folder: Path) -> set[Path]:
    return {path for path in folder.glob("anthropic-proxy-metrics-*") if any(path.iterdir())}


def test_metrics_of_a_killed_service_are_removed_by_the_next_and_those_of_a_living_one_stay(
    project: Project, other_project: Project, tmp_path: Path
) -> None:
    environ = {"TMPDIR": str(tmp_path), "GRACEFUL_TIMEOUT": "1"}
    with gunicorn(other_project, **environ, METRICS_PORT=str(free_port())):
        wait_until(lambda: len(metrics_folders(tmp_path)) == 1)
        (living,) = metrics_folders(tmp_path)

        with gunicorn(project, **environ, METRICS_PORT=str(free_port())) as killed:
            wait_until(lambda: len(metrics_folders(tmp_path)) == 2)
            workers = killed.workers()
            killed.process.kill()
            killed.process.wait()
            psutil.wait_procs(workers, 20)
        (stale,) = metrics_folders(tmp_path) - {living}

        with gunicorn(project, **environ, METRICS_PORT=str(free_port())):
            wait_until(lambda: len(metrics_folders(tmp_path)) == 2)
            assert living in metrics_folders(tmp_path)
            assert not stale.exists()
    assert not metrics_folders(tmp_path)
