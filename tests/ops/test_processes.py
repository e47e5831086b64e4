"""scripts/processes.py on a machine with /proc, and on one without, such as macOS."""

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT


@pytest.fixture
def processes() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "processes.py"))


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def gone() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def no_proc(monkeypatch: pytest.MonkeyPatch, tools: Path) -> None:
    """As on macOS: no /proc, and of `ps` and `lsof` what `tools` holds."""
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(FileNotFoundError(path)))
    monkeypatch.setenv("PATH", str(tools))


def tool(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.skipif(not os.path.exists("/proc/self/cwd"), reason="this machine has no /proc")
def test_with_proc(processes: dict[str, Any], sleeper: int, gone: int, tmp_path: Path) -> None:
    assert processes["folder_of"](sleeper) == str(tmp_path)
    assert processes["command_of"](sleeper).endswith(" -c input()")
    assert processes["environment_of"](sleeper)["PATH"] == os.environ["PATH"]
    assert processes["folder_of"](gone) is None
    assert processes["command_of"](gone) is None
    assert processes["environment_of"](gone) is None


def test_without_proc(processes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool(tmp_path, "lsof", '[ "$*" = "-a -p 12 -d cwd -F n" ] && printf "p12\\nfcwd\\nn/Users/me/my proxy\\n"')
    tool(tmp_path, "ps", '[ "$*" = "-p 12 -o command=" ] && echo "gunicorn -c gunicorn.conf.py"')
    no_proc(monkeypatch, tmp_path)
    assert processes["folder_of"](12) == "/Users/me/my proxy"
    assert processes["environment_of"](12) is None
    assert processes["command_of"](12) == "gunicorn -c gunicorn.conf.py"
    assert processes["folder_of"](13) is None
    assert processes["command_of"](13) is None


def test_without_proc_and_lsof(processes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_proc(monkeypatch, tmp_path)
    assert processes["folder_of"](12) is None


def test_a_pid_file_that_holds_none(processes: dict[str, Any], tmp_path: Path) -> None:
    assert processes["pid_in"](tmp_path / "missing") is None
    (tmp_path / "file").write_text("x")
    assert processes["pid_in"](tmp_path / "file") is None
    (tmp_path / "file").write_text("12\n")
    assert processes["pid_in"](tmp_path / "file") == 12
