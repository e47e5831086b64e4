"""app/dotenv_file.py: what it takes, and what it says of lines that set nothing."""

import os
from pathlib import Path

import pytest

from app.dotenv_file import read
from app.settings import SettingsError


@pytest.fixture
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in ("PORT", "PYTHON_DOTENV_DISABLED"):
        monkeypatch.setenv(key, "")  # so that it is as before afterwards
        monkeypatch.delenv(key)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    "text",
    [
        b"PORT=5001",
        b"export PORT=5001\n",
        b"# a comment\r\n\r\nPORT='5001' # another\r\n",
        b'\xef\xbb\xbfPORT = "5001"\n',
    ],
)
def test_it_is_read_however_editors_and_shells_write_it(dotenv: Path, text: bytes) -> None:
    dotenv.write_bytes(text)
    assert read(dotenv) == ({"PORT": "5001"}, [])
    assert "PORT" not in os.environ, "read, not loaded"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("PORT=1\nsk-secret\n", [2]),
        ('SERVER_API_KEY="sk-secret\nPORT=1\n', [1]),
        ('MODEL_MAP_JSON="{"sk-secret": "b"}"\n\nPORT: 1\n', [1, 3]),
    ],
)
def test_a_line_that_sets_nothing_is_named_and_not_shown(dotenv: Path, text: str, lines: list[int]) -> None:
    dotenv.write_text(text)
    with pytest.raises(SettingsError) as refusal:
        read(dotenv)
    said = str(refusal.value).splitlines()
    assert [line.partition(": expected KEY=value")[0] for line in said] == [f"{dotenv}, line {line}" for line in lines]
    assert "sk-secret" not in str(refusal.value)


def test_what_is_no_text_is_named(dotenv: Path) -> None:
    dotenv.write_bytes("PORT=5001".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"\.env cannot be read: "):
        read(dotenv)


def test_a_misspelt_key_is_a_caution_and_a_foreign_one_is_none(dotenv: Path) -> None:
    dotenv.write_text("UPSTREAM_BSAE=sandbox:\nCOMPOSE_PROJECT_NAME=x\nSTOP_TIMEOUT=\nEDITOR=vi\nupstream_proxy=\n")
    assert read(dotenv)[1] == [
        ".env sets UPSTREAM_BSAE, which nothing reads: is UPSTREAM_BASE meant?",
        ".env sets upstream_proxy, which nothing reads: is UPSTREAM_PROXY meant?",
    ]


def test_a_missing_or_disabled_file_is_no_mistake(dotenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(dotenv) == ({}, [])
    dotenv.write_text("no assignment")
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    assert read(dotenv) == ({}, [])
