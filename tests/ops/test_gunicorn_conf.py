"""gunicorn.conf.py: what it takes from the environment, what it fixes, and what its log keeps."""

import json
import logging
import resource
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.workers.ggevent import GeventWorker

from app.server.log import JsonLog, TextLog, without_client_data
from app.server.worker import ENDING_SECONDS
from app.settings import Settings

from .conftest import ROOT

CONFIG = ROOT / "gunicorn.conf.py"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings, in a process whose limits stay as they are."""
    for key in ("HOST", "PORT", "WORKERS", "WORKER_CONNECTIONS", "GRACEFUL_TIMEOUT", "STOP_TIMEOUT"):
        monkeypatch.delenv(key, raising=False)
    for key in ("LOG_LEVEL", "LOG_FORMAT", "METRICS_HOST", "METRICS_PORT"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    monkeypatch.setattr(resource, "setrlimit", lambda *limits: None)
    monkeypatch.setattr(sys, "path", sys.path[:])  # gunicorn.conf.py adds its folder
    return monkeypatch


def test_defaults_are_those_of_the_application(environ: pytest.MonkeyPatch) -> None:
    environ.setattr(resource, "getrlimit", lambda what: (1024, 1_000_000))
    config, settings = runpy.run_path(str(CONFIG)), Settings.from_env({})
    assert config["bind"] == f"{settings.host}:{settings.port}" == "0.0.0.0:5000"
    assert config["workers"] == settings.workers
    assert config["worker_connections"] == settings.worker_connections
    assert config["graceful_timeout"] == settings.graceful_timeout + ENDING_SECONDS
    assert config["loglevel"] == settings.log_level
    assert config["logger_class"] is TextLog


def test_every_value_is_a_setting_of_gunicorn() -> None:
    known = {setting.name for setting in KNOWN_SETTINGS}
    values = {
        name
        for name, value in runpy.run_path(str(CONFIG)).items()
        if name.islower() and name[0] != "_" and not callable(value) and not isinstance(value, ModuleType)
    }
    assert len(values) > 25
    assert values <= known


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preload_app", False),
        ("max_requests", 0),
        ("accesslog", None),
        ("control_socket_disable", True),
        ("header_map", "refuse"),
        ("forwarder_headers", ""),
        ("forwarded_allow_ips", ""),
        ("secure_scheme_headers", {}),
        ("proxy_protocol", False),
        ("http_parser", "python"),
        ("reuse_port", False),
    ],
)
def test_fixed_values(environ: pytest.MonkeyPatch, name: str, value: object) -> None:
    assert runpy.run_path(str(CONFIG))[name] == value


def test_workers_are_gevent_workers(environ: pytest.MonkeyPatch) -> None:
    assert issubclass(runpy.run_path(str(CONFIG))["worker_class"], GeventWorker)


def test_times_fit_together(environ: pytest.MonkeyPatch) -> None:
    config = runpy.run_path(str(CONFIG))
    assert config["keepalive"] > 5, "httpx keeps an idle connection for 5 s and must be the first to close it"
    assert config["keepalive"] <= 15, "a head that never ends holds its connection for as long"
    assert config["timeout"] >= config["graceful_timeout"]
    assert config["SETTINGS"].graceful_timeout + 3 < config["graceful_timeout"] < config["STOP_TIMEOUT"], (
        "first the streams end, then the worker, then the master"
    )


def test_an_ipv6_host_is_bracketed(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("HOST", "::1")
    environ.setenv("PORT", "5001")
    assert runpy.run_path(str(CONFIG))["bind"] == "[::1]:5001"


def test_the_environment_wins_over_dotenv_and_empty_is_unset(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = shutil.copy(CONFIG, tmp_path)
    (tmp_path / ".env").write_text("HOST=127.0.0.2\nPORT=5001\nWORKERS=\nGRACEFUL_TIMEOUT=7\n")
    environ.delenv("PYTHON_DOTENV_DISABLED")
    environ.setenv("PORT", "5002")
    environ.setenv("GRACEFUL_TIMEOUT", " ")
    config = runpy.run_path(str(copy))
    found = (config["bind"], config["workers"], config["graceful_timeout"])
    assert found == ("127.0.0.2:5002", 2, 7 + ENDING_SECONDS)
    assert "HOST" not in __import__("os").environ, "a value of .env in the master would outlive the file's change"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("WORKERS", "-1"),
        ("WORKER_CONNECTIONS", "1.5"),
        ("GRACEFUL_TIMEOUT", "soon"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_named(environ: pytest.MonkeyPatch, key: str, value: str) -> None:
    environ.setenv(key, value)
    with pytest.raises(SystemExit, match=rf"^{key}='{value}': expected "):
        runpy.run_path(str(CONFIG))


def test_a_grace_that_outlasts_the_supervisor_is_refused(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("GRACEFUL_TIMEOUT", "40")
    environ.setenv("STOP_TIMEOUT", "40")
    with pytest.raises(SystemExit, match=r"^GRACEFUL_TIMEOUT=40: expected less .*stopwaitsecs"):
        runpy.run_path(str(CONFIG))


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "connections"),
    [
        (1024, 1_000_000, 20_256, 10_000),
        (1024, 4096, 4096, 1920),
        (1024, resource.RLIM_INFINITY, 20_256, 10_000),
        (1_000_000, 1_000_000, None, 10_000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 10_000),
    ],
)
def test_open_files_are_raised_to_what_the_connections_need(
    environ: pytest.MonkeyPatch, soft: int, hard: int, raised_to: int | None, connections: int
) -> None:
    asked: list[int] = []
    environ.setattr(resource, "getrlimit", lambda what: (soft, hard))
    environ.setattr(resource, "setrlimit", lambda what, limits: asked.append(limits[0]))
    assert runpy.run_path(str(CONFIG))["worker_connections"] == connections
    assert asked == ([] if raised_to is None else [raised_to])


BINDS_NO_SSL = """
import runpy, sys, warnings
runpy.run_path(sys.argv[1])
assert not {"app.application", "requests", "urllib3", "flask", "werkzeug"} & set(sys.modules), "loaded by the master"
from gevent import monkey
warnings.simplefilter("error")  # gevent names the modules that have bound what it is about to replace
monkey.patch_all()
from urllib3.util.ssl_ import create_urllib3_context
create_urllib3_context()  # RecursionError, had urllib3 been loaded before
"""


def test_nothing_that_binds_ssl_is_imported_in_the_master() -> None:
    command = [sys.executable, "-c", BINDS_NO_SSL, str(CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def record(message: str, *values: object, error: BaseException | None = None) -> logging.LogRecord:
    failure = (type(error), error, None) if error else None
    return logging.LogRecord("gunicorn.error", logging.WARNING, "", 0, message, values, failure)


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        (
            record("Invalid request from ip=::1: Invalid HTTP Header: b'Authorization Bearer sk-secret'"),
            "Invalid request from ip=::1: Invalid HTTP Header",
        ),
        (
            record("Invalid request from ip=10.0.0.1: Request Line is too large (9000 > 8190)"),
            "Invalid request from ip=10.0.0.1: Request Line is too large (9000 > 8190)",
        ),
        (
            record("Ignored premature client disconnection. %s", "No more data after: b'Authorization: sk-se"),
            "Ignored premature client disconnection",
        ),
        (
            record("Error handling request %s %s", "GET", "/v1/models?key=sk-secret"),
            "Error handling request GET /v1/models",
        ),
        (
            record("Socket error processing request.", error=TimeoutError("timed out")),
            "Socket error processing request: TimeoutError",
        ),
        (record("Error %s", "a\n[INFO] forged\x1b[0m"), r"Error a\n[INFO] forged\x1b[0m"),
        (record("Worker (pid:%s) was sent %s!", 7, "SIGKILL"), "Worker (pid:7) was sent SIGKILL!"),
    ],
)
def test_the_log_keeps_the_message_and_drops_the_clients_part(logged: logging.LogRecord, kept: str) -> None:
    assert without_client_data(logged)
    assert logged.getMessage() == kept
    assert logged.exc_info is None


def raised(error: Exception) -> Any:
    try:
        raise error
    except Exception:
        return sys.exc_info()


def test_a_traceback_of_ours_stays_and_cannot_pose_as_log_lines() -> None:
    logged = record("Error handling request %s %s", "GET", "/")
    logged.exc_info = raised(KeyError("ours"))
    assert without_client_data(logged)
    text = TextLog.formatter().format(logged)
    assert "KeyError: 'ours'" in text
    assert all(line.startswith("    ") for line in text.splitlines()[1:])
    line = json.loads(JsonLog.formatter().format(logged))
    assert line["message"] == "Error handling request GET /"
    assert line["level"] == "warning"
    assert "KeyError: 'ours'" in line["traceback"]
