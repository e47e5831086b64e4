"""The .env file: every line of it is understood, or the start fails."""

from __future__ import annotations

import difflib
import io
import os
from dataclasses import fields
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from app.settings import Settings, SettingsError

_NAMES = {item.metadata["key"] for item in fields(Settings)}


def environment(path: Path) -> tuple[dict[str, str], list[str]]:
    """The environment over what `path` sets, and read's cautions. An empty variable counts as unset and hides nothing.

    Read, not loaded: what is in the environment is inherited by every program that is started, and outlives a change
    of the file at the next reload. Raises SettingsError as read does.
    """
    values, cautions = read(path)
    return values | {key: value for key, value in os.environ.items() if value.strip()}, cautions


def read(path: Path) -> tuple[dict[str, str], list[str]]:
    """What `path` sets, and a caution for each name that is nearly one of ours: nobody else reads it.

    Nothing if there is no such file, or with PYTHON_DOTENV_DISABLED.
    Raises SettingsError naming each line that is no assignment, which python-dotenv would leave out.
    """
    if os.environ.get("PYTHON_DOTENV_DISABLED", "").lower() in {"1", "true", "t", "yes", "y"} or not path.is_file():
        return {}, []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}") from None
    bindings = list(parse_stream(io.StringIO(text)))
    wrong = [_line(found) for found in bindings if found.error or (found.key and found.value is None)]
    if wrong:  # What stands there is not shown: it may be a key.
        expected = "expected KEY=value, and a quote that is opened to be closed"
        raise SettingsError("\n".join(f"{path}, line {line}: {expected}" for line in wrong))
    values = {key: value for key, value in dotenv_values(stream=io.StringIO(text)).items() if value}
    return values, [caution for found in bindings if (caution := _misspelt(found))]


def _line(binding: Binding) -> int:
    """Its line's number; blank lines before it count as its own to python-dotenv."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _misspelt(binding: Binding) -> str:
    if not binding.key or binding.key in _NAMES:
        return ""
    near = difflib.get_close_matches(binding.key.upper(), _NAMES, n=1, cutoff=0.85)
    return f".env sets {binding.key}, which nothing reads: is {near[0]} meant?" if near else ""
