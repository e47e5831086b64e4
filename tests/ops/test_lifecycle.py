"""The scripts as a user runs them: start, status, restart, stop, and what they say when it fails."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import psutil

from .conftest import ROOT, Project, free_port, health_status, wait_until


def test_start_status_restart_stop(project: Project) -> None:
    started = project.run("start.sh")
    assert started.returncode == 0, started.stdout
    assert f"http://127.0.0.1:{project.port}" in started.stdout
    assert health_status(project.port) == 200
    first = project.pid

    status = project.run("status.sh")
    assert status.returncode == 0
    for expected in (
        f"pid        {first}",
        "command    ",
        "gunicorn.conf.py",
        f"started    {time.strftime('%Y-')}",
        "/health answers",
        "logs/server.log, ",
        "logs/server_error.log, ",
    ):
        assert expected in status.stdout

    assert "already running" in project.run("start.sh").stdout
    assert project.pid == first

    assert project.run("restart.sh").returncode == 0
    assert project.pid != first
    assert not psutil.pid_exists(first)

    stopped = project.run("stop.sh")
    assert stopped.returncode == 0
    assert "is stopped" in stopped.stdout
    assert not project.pid_file.exists()
    assert project.processes() == []
    assert project.run("status.sh").returncode == 3


def test_status_asks_where_the_service_was_told_to_listen(project: Project) -> None:
    assert project.run("start.sh").returncode == 0  # as `PORT=… scripts/start.sh`
    status = project.run("status.sh", PORT="", HOST="")
    assert status.returncode == 0, status.stdout
    assert f"http://127.0.0.1:{project.port}/health answers" in status.stdout


def test_supervisorctl_works_from_the_project_folder(project: Project) -> None:
    project.run("start.sh")
    supervisorctl = [sys.executable, "-m", "supervisor.supervisorctl"]

    def run(*arguments: str) -> str:
        command = [*supervisorctl, *arguments]
        return subprocess.run(
            command, cwd=project.root, env=project.environ, capture_output=True, text=True, check=False
        ).stdout

    assert "anthropic-proxy" in run("status")
    assert "stopped" in run("stop", "anthropic-proxy")
    status = project.run("status.sh")
    assert status.returncode == 3
    assert "supervisord says STOPPED" in status.stdout
    assert project.run("start.sh").returncode == 0, "start.sh starts again what supervisorctl stopped"


def test_plain_supervisord_works_in_a_fresh_clone(project: Project) -> None:
    for folder in ("logs", "run"):
        assert (ROOT / folder / ".gitkeep").exists(), "supervisord makes no folder by itself"
        (project.root / folder).mkdir()
    environ = project.environ | {"PATH": f"{Path(sys.executable).parent}:{project.environ['PATH']}"}
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", "supervisord.conf"]
    started = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    wait_until(lambda: project.run("status.sh").returncode == 0)
    assert project.run("stop.sh").returncode == 0


def test_a_stale_pid_file_is_recognised(project: Project) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    project.pid_file.write_text(f"{gone.pid}\n")
    status = project.run("status.sh")
    assert status.returncode == 1
    assert "stale" in status.stdout

    project.pid_file.write_text("1\n")  # alive, and another's
    assert project.run("status.sh").returncode == 1

    started = project.run("start.sh")
    assert started.returncode == 0, started.stdout
    assert "stale" in started.stdout
    assert project.pid != 1


def test_another_folders_service_is_not_taken_for_this_ones(project: Project, other_project: Project) -> None:
    assert other_project.run("start.sh").returncode == 0
    theirs = other_project.pid
    shutil.copy(other_project.pid_file, project.pid_file)  # as `cp -r` of a running project does

    status = project.run("status.sh")
    assert status.returncode == 1
    assert "stale" in status.stdout
    assert "is not running" in project.run("stop.sh").stdout
    assert project.run("start.sh").returncode == 0
    assert project.pid != theirs
    assert project.run("stop.sh").returncode == 0
    assert other_project.pid == theirs
    assert health_status(other_project.port) == 200


def test_restart_stays_in_the_sandbox_that_was_asked_for(project: Project) -> None:
    assert project.run("run.sh", "-b", "--sandbox", UPSTREAM_BASE="").returncode == 0
    restarted = project.run("restart.sh", UPSTREAM_BASE="")
    assert restarted.returncode == 0
    assert "--sandbox" in restarted.stdout
    assert psutil.Process(project.pid).environ()["UPSTREAM_BASE"] == "sandbox:"

    assert project.run("restart.sh", UPSTREAM_BASE="http://127.0.0.1:9").returncode == 0
    assert psutil.Process(project.pid).environ()["UPSTREAM_BASE"] == "http://127.0.0.1:9"
    refused = project.run("restart.sh", UPSTREAM_BASE="", WORKERS="many")  # so that nothing is stopped for it
    assert "WORKERS='many'" in refused.stdout
    assert "--sandbox" not in refused.stdout


def test_a_reader_that_has_read_enough_is_no_failure(project: Project) -> None:
    project.run("start.sh")
    scripts = f"'{project.root}/scripts"
    for script in ("status.sh", "stop.sh"):
        piped = subprocess.run(
            ["bash", "-c", f"{scripts}/{script}' | true; echo ${{PIPESTATUS[0]}}"],
            env=project.environ | {"PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (piped.stdout, piped.stderr) == ("0\n", ""), script
    assert project.processes() == []


def test_a_wrong_setting_is_named_and_stops_nothing(project: Project) -> None:
    refused = project.run("start.sh", UPSTREAM_BASE="ftp://nowhere")
    assert refused.returncode != 0
    assert "UPSTREAM_BASE='ftp://nowhere'" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert project.processes() == []

    project.run("start.sh")
    running = project.pid
    refused = project.run("restart.sh", WORKERS="many")
    assert refused.returncode != 0
    assert "WORKERS='many'" in refused.stdout
    assert project.pid == running
    assert health_status(project.port) == 200


def test_a_dotenv_that_is_no_text_is_named(project: Project) -> None:
    (project.root / ".env").write_bytes("PORT=1".encode("utf-16"))
    for script in ("start.sh", "status.sh"):
        refused = project.run(script)
        assert refused.returncode == 1
        assert ".env cannot be read: " in refused.stdout
        assert "Traceback" not in refused.stdout
    assert "is not running" in project.run("stop.sh").stdout, "which needs no settings"


def test_a_taken_port_is_said(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", project.port))
        other.listen()
        refused = project.run("start.sh")
    assert refused.returncode == 1
    assert f"port {project.port}" in refused.stdout
    assert "PORT" in refused.stdout


def test_a_metrics_address_that_cannot_be_had_is_said(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        refused = project.run("start.sh", METRICS_PORT=str(taken))
    assert refused.returncode == 1
    assert (
        f"Cannot listen on 127.0.0.1 port {taken}: Address already in use; set another METRICS_PORT" in refused.stdout
    )

    refused = project.run("start.sh", METRICS_PORT=str(free_port()), METRICS_HOST="192.0.2.1")
    assert refused.returncode == 1
    assert "METRICS_HOST='192.0.2.1': " in refused.stdout
    assert "Traceback" not in refused.stdout
    assert project.processes() == []


def test_a_folder_that_cannot_be_made_is_said(project: Project) -> None:
    (project.root / "logs").write_text("a file")
    refused = project.run("start.sh")
    assert refused.returncode == 1
    assert "logs cannot be written: " in refused.stdout
    assert "Traceback" not in refused.stdout


def test_a_start_that_fails_shows_the_log_and_leaves_nothing(project: Project) -> None:
    # Only supervisord's child is told STOP_TIMEOUT, so the check of the settings before cannot see this one.
    refused = project.run("start.sh", GRACEFUL_TIMEOUT="90")
    assert refused.returncode == 1
    assert "did not start" in refused.stdout
    assert "GRACEFUL_TIMEOUT=90" in refused.stdout
    assert project.processes() == []
    assert not project.pid_file.exists()


def worker_pids(project: Project, master: int | None = None) -> set[int]:
    return {child.pid for child in psutil.Process(master or project.pid).children()}


def test_sighup_takes_new_settings_and_refuses_wrong_ones(project: Project) -> None:
    project.run("start.sh")
    master, before = project.pid, worker_pids(project)
    log = project.root / "logs" / "server_error.log"

    for key, value in (("LOG_LEVEL", "loud"), ("MAX_BODY_BYTES", "much")):
        (project.root / ".env").write_text(f"{key}={value}")
        psutil.Process(master).send_signal(signal.SIGHUP)
        refusal = re.compile(f"Not reloaded, the running workers stay: .*{key}='{value}'")
        wait_until(partial(lambda said: said.search(log.read_text()) is not None, refusal))
        assert worker_pids(project) == before
        assert health_status(project.port) == 200

    (project.root / ".env").write_text("LOG_LEVEL=debug")
    psutil.Process(master).send_signal(signal.SIGHUP)
    # The pid file is away for a moment while gunicorn reloads.
    wait_until(lambda: "[DEBUG]" in log.read_text() and worker_pids(project, master).isdisjoint(before))
    wait_until(project.pid_file.exists)
    assert project.pid == master
    assert health_status(project.port) == 200


def metrics_served(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as answer:
            return b"anthropic_proxy_open_requests" in answer.read()
    except urllib.error.URLError:
        return False


def test_sighup_switches_the_metrics(project: Project) -> None:
    project.run("start.sh", GRACEFUL_TIMEOUT="1")
    master, ports = project.pid, [free_port(), free_port()]

    def reloaded(setting: str) -> None:
        before = worker_pids(project, master)
        (project.root / ".env").write_text(setting)
        psutil.Process(master).send_signal(signal.SIGHUP)
        wait_until(lambda: worker_pids(project, master).isdisjoint(before))

    for port in ports:
        reloaded(f"METRICS_PORT={port}")
        wait_until(partial(metrics_served, "127.0.0.1", port))
        assert not metrics_served("127.0.0.1", ports[port == ports[0]]), "only the port that is asked for"
    reloaded("METRICS_PORT=0")
    assert not any(metrics_served("127.0.0.1", port) for port in ports)
    assert health_status(project.port) == 200


def test_a_killed_service_is_started_again(project: Project) -> None:
    project.run("start.sh")
    killed = project.pid
    psutil.Process(killed).kill()
    wait_until(lambda: project.pid_file.exists() and project.pid != killed)
    wait_until(lambda: project.run("status.sh").returncode == 0)


def test_logs_and_control_socket_are_the_owners_alone(project: Project) -> None:
    project.run("start.sh")
    logs = ("logs", "logs/server.log", "logs/server_error.log", "logs/supervisord.log")
    for name in (*logs, "run", "run/supervisor.sock"):
        assert (project.root / name).stat().st_mode & 0o077 == 0, name


def test_logs_are_rotated_without_losing_a_line(project: Project) -> None:
    config = project.root / "supervisord.conf"
    config.write_text(config.read_text().replace("logfile_maxbytes=10MB", "logfile_maxbytes=2KB"))
    project.run("start.sh")
    for number in range(30):
        headers = {"x-request-id": f"number-{number}"}
        urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{project.port}/health", headers=headers)
        ).close()
    assert project.run("stop.sh").returncode == 0
    logs = sorted((project.root / "logs").glob("server.log*"))
    assert len(logs) > 2
    assert all(log.stat().st_size < 4096 and log.stat().st_mode & 0o077 == 0 for log in logs)
    written = re.findall(r"id=(number-\d+) ", "".join(log.read_text() for log in reversed(logs)))
    assert written == [f"number-{number}" for number in range(30)]


def test_what_a_client_sent_is_not_logged(project: Project) -> None:
    project.run("start.sh", LOG_LEVEL="debug")
    for request in (
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization Bearer sk-secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX_Api_Key_sk-secret: 1\r\n\r\n",
        b"GET /?key=sk-secret HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", project.port), timeout=10) as client:
            client.sendall(request)
            assert client.recv(1024).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", project.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer sk-secret")
    log = project.root / "logs" / "server_error.log"
    wait_until(lambda: "Ignored premature client disconnection" in log.read_text())
    assert log.read_text().count("Invalid request from ip=127.0.0.1: Invalid HTTP") == 3
    assert "sk-secret" not in log.read_text()
    assert "sk-secret" not in (project.root / "logs" / "server.log").read_text()


def test_a_path_too_long_for_a_unix_socket_is_said(project: Project) -> None:
    deep = project.root / ("d" * 100)
    deep.mkdir()
    for item in list(project.root.iterdir()):
        if item != deep:
            item.rename(deep / item.name)
    refused = Project(deep, project.port).run("start.sh")
    assert refused.returncode == 1
    assert "too long for a unix socket" in refused.stdout
    for item in list(Path(deep).iterdir()):
        item.rename(project.root / item.name)
