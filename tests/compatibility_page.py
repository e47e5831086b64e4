"""The tables of docs/compatibility.md that follow from the code."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from app.profiles.profile import Profile, profile_for
from app.translate.parameters import PARAMETERS

PAGE = Path(__file__).parent.parent / "docs" / "compatibility.md"
_TABLE = re.compile(r"(<!-- from the code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

MODELS = (
    ("z.ai", "glm-4.6", "api.z.ai"),
    ("z.ai", "glm-5.1", "api.z.ai"),
    ("Anthropic", "claude-sonnet-4-5", "api.anthropic.com"),
    ("Anthropic", "claude-opus-4-6", "api.anthropic.com"),
    ("Anthropic", "claude-opus-4-8", "api.anthropic.com"),
    ("Anthropic", "claude-sonnet-5", "api.anthropic.com"),
    ("Anthropic", "claude-opus-5-5", "api.anthropic.com"),
    ("DeepSeek", "deepseek-v4-pro", "api.deepseek.com"),
    ("Moonshot", "kimi-k2.7", "api.moonshot.ai"),
    ("MiniMax", "MiniMax-M2.5", "api.minimax.io"),
    ("Ollama", "qwen3", "localhost:11434"),
    ("any other", "some-model", "example.net"),
)
"""(upstream, model, host): one of each kind that the profiles tell apart."""


def page() -> str:
    """docs/compatibility.md with its generated tables as the code has them now."""
    text = PAGE.read_text("utf-8")
    return _TABLE.sub(lambda match: match[1] + "\n".join(_TABLES[match[2]]()) + "\n" + match[3], text)


def _parameters() -> Iterator[str]:
    yield "| parameter | becomes | ignored without a word when |"
    yield "|---|---|---|"
    for name, parameter in PARAMETERS.items():
        harmless = " or ".join(f"`{value}`".lower() for value in parameter.harmless)
        yield f"| `{name}` | {parameter.becomes or '*ignored*'} | {harmless} |"


def _profiles() -> Iterator[str]:
    yield "| feature | " + " | ".join(f"{upstream}<br>`{model}`" for upstream, model, _ in MODELS) + " |"
    yield "|---" * (len(MODELS) + 1) + "|"
    for item in fields(Profile):
        cells = (_cell(getattr(profile_for(host, model), item.name)) for _, model, host in MODELS)
        yield f"| `{item.name}` | " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value) if value else "-"


_TABLES = {"parameters": _parameters, "profiles": _profiles}
