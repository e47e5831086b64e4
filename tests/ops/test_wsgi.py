"""wsgi.py: settings from the environment over .env, for whichever server imports it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

SHOW = "import wsgi; print(wsgi.app.extensions['anthropic-proxy'].settings.proxy_api_keys)"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "wsgi.py", tmp_path)
    return tmp_path


def run(project: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environ = kept | {"PYTHONPATH": str(ROOT), "UPSTREAM_BASE": "sandbox:"} | environ
    command = [sys.executable, "-c", SHOW]
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("environ", "keys"),
    [
        ({}, "('of-the-file',)"),
        ({"PROXY_API_KEYS": "of-the-environment"}, "('of-the-environment',)"),
        # As `PROXY_API_KEYS: ${PROXY_API_KEYS:-}` in a compose file sets it; it would open the proxy.
        ({"PROXY_API_KEYS": ""}, "('of-the-file',)"),
        ({"PROXY_API_KEYS": " "}, "('of-the-file',)"),
        ({"PYTHON_DOTENV_DISABLED": "1"}, "()"),
    ],
)
def test_the_environment_wins_over_dotenv_unless_it_says_nothing(
    project: Path, environ: dict[str, str], keys: str
) -> None:
    (project / ".env").write_text("PROXY_API_KEYS=of-the-file\n")
    assert run(project, **environ).stdout.strip() == keys


def test_a_file_that_cannot_be_read_is_named_in_one_line(project: Path) -> None:
    (project / ".env").write_bytes(b"PROXY_API_KEYS=\xff\n")
    ended = run(project)
    assert ended.returncode == 4
    assert ended.stderr.startswith("anthropic-proxy cannot start:\n.env cannot be read: ")
    assert "Traceback" not in ended.stderr


def test_a_wrong_setting_is_named_without_its_value_if_that_is_secret(project: Path) -> None:
    (project / ".env").write_text("PROXY_API_KEYS=pk secret\nPORT=http\n")
    ended = run(project)
    assert ended.returncode == 4
    assert "PROXY_API_KEYS=(hidden): expected" in ended.stderr
    assert "PORT='http': expected" in ended.stderr
    assert "secret" not in ended.stderr
