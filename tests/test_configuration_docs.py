"""README.md, .env.example and the code agree in every key and default."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from app.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README, EXAMPLE = ROOT / "README.md", ROOT / ".env.example"
ROW = re.compile(r"^\| `(?P<key>[A-Z_]+)` \|(?: `(?P<default>[^`]*)`)? \| (?P<meaning>.+) \|$", re.MULTILINE)


def keys() -> list[str]:
    return [item.metadata["key"] for item in fields(Settings)]


def default_of(key: str) -> Any:
    return getattr(Settings(), key.lower())


def readme_rows() -> list[re.Match[str]]:
    return list(ROW.finditer(README.read_text(encoding="utf-8").partition("## Settings")[2]))


def example() -> dict[str, str]:
    return {key: value or "" for key, value in dotenv_values(EXAMPLE).items()}


def test_a_field_is_its_key_in_lower_case() -> None:
    assert [item.name for item in fields(Settings)] == [key.lower() for key in keys()]


def test_the_readmes_table_names_every_key_in_order() -> None:
    assert [row["key"] for row in readme_rows()] == keys()


def test_the_example_names_every_key() -> None:
    assert sorted(example()) == sorted(keys())


@pytest.mark.parametrize("key", keys())
def test_defaults(key: str) -> None:
    in_readme = next(row["default"] or "" for row in readme_rows() if row["key"] == key)
    assert in_readme == example()[key]
    assert getattr(Settings.from_env({key: in_readme}), key.lower()) == default_of(key)
    assert bool(in_readme) == (default_of(key) not in ("", (), None))


def test_an_empty_value_is_the_default() -> None:
    assert Settings.from_env(dict.fromkeys(keys(), " ")) == Settings()
    assert Settings.from_env(example()) == Settings()


def test_a_sentence_stands_above_every_key_of_the_example() -> None:
    paragraphs = EXAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    assignments = [paragraph for paragraph in paragraphs if "=" in paragraph.splitlines()[-1].split(" ")[0]]
    assert len(assignments) == len(example())
    for paragraph in assignments:
        sentence, assignment = paragraph.splitlines()
        assert re.fullmatch(r"# [A-Z].+\.", sentence), paragraph
        assert re.match(r"[A-Z_]+=", assignment), paragraph


def test_gunicorn_reads_every_key_that_it_uses() -> None:
    source = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z_]+)"', "".join(re.findall(r"^KEYS .*$", source, re.MULTILINE))))
    sources = [source, *(file.read_text(encoding="utf-8") for file in (ROOT / "app" / "server").glob("*.py"))]
    used = {name.upper() for name in re.findall(r"\bsettings\.(\w+)", "".join(sources), re.IGNORECASE)} & set(keys())
    assert {"PORT", "STOP_TIMEOUT", "METRICS_HOST"} <= used
    assert used <= read <= set(keys())


def test_the_scripts_read_what_the_readme_names() -> None:
    read: set[str] = set()
    for script in (ROOT / "scripts").iterdir():
        if script.suffix == ".sh":
            read |= set(re.findall(r"\$\{?([A-Z_]+)\b", script.read_text(encoding="utf-8")))
        elif script.suffix == ".py":
            read |= set(re.findall(r'environ\.get\("([A-Z_]+)"', script.read_text(encoding="utf-8")))
    read -= {"BASH_SOURCE", "PATH"}
    assert {"PYTHON", "VENV_DIR", "HOST", "PORT"} <= read
    readme = README.read_text(encoding="utf-8")
    assert [key for key in sorted(read) if f"`{key}" not in readme] == []
