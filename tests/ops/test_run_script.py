"""scripts/run.sh: in the foreground, in the background, and what it says of itself."""

import socket
import subprocess

import psutil

from .conftest import Project, health_status, wait_until


def test_the_foreground_service_with_the_sandbox(project: Project) -> None:
    output = project.root / "output"
    environ = {key: value for key, value in project.environ.items() if key != "UPSTREAM_BASE"}
    command = ["bash", str(project.root / "scripts" / "run.sh"), "--sandbox"]
    with output.open("w") as file, subprocess.Popen(command, cwd="/", env=environ, stdout=file) as service:
        try:
            wait_until(lambda: is_healthy(project.port))
            assert psutil.Process(service.pid).environ()["UPSTREAM_BASE"] == "sandbox:"
            assert f"curl -N http://127.0.0.1:{project.port}/v1/chat/completions" in output.read_text()
        finally:
            service.terminate()
        assert service.wait(timeout=40) == 0


def test_a_taken_port_is_said_before_the_sandbox_is_praised(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", project.port))
        other.listen()
        refused = project.run("run.sh", "--sandbox")
    assert refused.returncode == 1
    assert f"port {project.port}: Address already in use; set another PORT" in refused.stdout
    assert "curl" not in refused.stdout


def is_healthy(port: int) -> bool:
    try:
        return health_status(port) == 200
    except OSError:
        return False


def test_help_and_unknown_options(project: Project) -> None:
    for option in ("-h", "--help"):
        shown = project.run("run.sh", option)
        assert shown.returncode == 0
        assert "--background" in shown.stdout
        assert "--sandbox" in shown.stdout
    refused = project.run("run.sh", "--bakground")
    assert refused.returncode == 2
    assert "--bakground" in refused.stdout


def test_background_is_start(project: Project) -> None:
    started = project.run("run.sh", "-b")
    assert started.returncode == 0, started.stdout
    assert project.run("status.sh").returncode == 0
