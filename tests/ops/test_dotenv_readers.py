"""The three that read .env, the scripts without importing app/, read the same in it."""

import runpy
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.dotenv_file import read

from .conftest import ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in ("HOST", "PORT", "WORKERS", "PYTHON_DOTENV_DISABLED"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(sys, "path", sys.path[:])  # gunicorn.conf.py adds its folder
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "gunicorn.conf.py", tmp_path)
    shutil.copy(ROOT / "scripts" / "health.py", tmp_path / "scripts")
    return tmp_path


def readings(project: Path) -> list[Mapping[str, str | None]]:
    """What the application, gunicorn and the scripts take from `.env` and the environment."""
    config = runpy.run_path(str(project / "gunicorn.conf.py"))
    health = runpy.run_path(str(project / "scripts" / "health.py"))
    return [read(project / ".env")[0], config["ENVIRON"], health["configured_environment"]()]


@pytest.mark.parametrize(
    "text",
    [
        b"PORT=5001\nHOST=127.0.0.2\n",
        b"\xef\xbb\xbfPORT=5001\r\nHOST=127.0.0.2\r\n",  # as Windows' Notepad saves it
        b"export PORT='5001' # a comment\nHOST=\"127.0.0.2\"\n",
        b"PORT=5000\nPORT=5001\nA=2\nHOST=127.0.0.${A}\n",
    ],
)
def test_they_agree(project: Path, text: bytes) -> None:
    (project / ".env").write_bytes(text)
    assert [(found.get("HOST"), found.get("PORT")) for found in readings(project)] == [("127.0.0.2", "5001")] * 3


@pytest.mark.parametrize("word", ["1", "true", "T", "YES", "y"])
def test_they_agree_that_it_is_disabled(project: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    (project / ".env").write_text("PORT=5001\n")
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", word)
    assert [found.get("PORT") for found in readings(project)] == [None] * 3
