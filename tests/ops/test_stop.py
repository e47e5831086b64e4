"""stop.sh, whatever became of the service and of its supervisord."""

import signal
import subprocess
import sys

import psutil

from .conftest import Project, wait_until


def test_stop_ends_a_service_that_lost_its_supervisord(project: Project) -> None:
    project.run("start.sh")
    psutil.Process(int((project.root / "run" / "supervisord.pid").read_text())).kill()
    assert "nobody restarts it" in project.run("status.sh").stdout
    assert project.run("stop.sh").returncode == 0
    assert project.processes() == []


def stop_within_two_seconds(project: Project) -> None:
    config = project.root / "supervisord.conf"
    config.write_text(config.read_text().replace("stopwaitsecs=40", "stopwaitsecs=2").replace('"40"', '"2"'))


def test_stop_kills_what_does_not_end(project: Project) -> None:
    stop_within_two_seconds(project)
    assert project.run("start.sh", GRACEFUL_TIMEOUT="1").returncode == 0
    psutil.Process(project.pid).send_signal(signal.SIGSTOP)
    assert project.run("stop.sh").returncode == 0
    assert project.processes() == []
    assert not project.pid_file.exists()


def test_stop_kills_a_service_without_supervisord_that_does_not_end(project: Project) -> None:
    stop_within_two_seconds(project)
    assert project.run("start.sh", GRACEFUL_TIMEOUT="1").returncode == 0
    psutil.Process(int((project.root / "run" / "supervisord.pid").read_text())).kill()
    for process in (psutil.Process(project.pid), *psutil.Process(project.pid).children()):
        process.send_signal(signal.SIGSTOP)
    stopped = project.run("stop.sh")
    assert stopped.returncode == 0, stopped.stdout
    wait_until(lambda: project.processes() == [])
    assert not project.pid_file.exists()


def test_stop_kills_a_service_that_was_started_by_hand(project: Project) -> None:
    """As a script starts it: in the script's process group, which must live on."""
    stop_within_two_seconds(project)
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--pid", "anthropic-proxy.pid"]
    with subprocess.Popen(command, cwd=project.root, env=project.environ, stderr=subprocess.DEVNULL) as by_hand:
        wait_until(lambda: project.pid_file.exists() and by_hand.pid == project.pid)
        try:
            psutil.Process(by_hand.pid).send_signal(signal.SIGSTOP)
            stopped = project.run("stop.sh")
            assert stopped.returncode == 0, stopped.stdout
            assert by_hand.wait(5) == -signal.SIGKILL
        finally:
            by_hand.kill()
    wait_until(lambda: project.processes() == [])
