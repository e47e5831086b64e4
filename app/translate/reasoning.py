"""Every way in which OpenAI clients ask for reasoning -> one wish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from app.profiles.known_models import ALL_EFFORTS
from app.translate.checks import (
    a_boolean,
    a_string,
    an_integer,
    an_object,
    invalid_value,
    missing,
    optional_boolean,
    optional_string,
)
from app.translate.report import Report

Block = dict[str, Any]
EFFORTS = ("minimal", *ALL_EFFORTS)
"""The levels of effort that clients name, lowest first."""


@dataclass(frozen=True)
class Reasoning:
    """What the client asked for: `on` is None when it did not say. `field` names where it said so."""

    on: bool | None = None
    effort: str | None = None
    budget: int | None = None
    field: str = "reasoning_effort"
    display: str | None = None
    """Anthropic's `thinking.display`, where the client set it."""


_WISHES = frozenset(["thinking", "reasoning", "reasoning_effort", "chat_template_kwargs", "enable_thinking"])
_NO_WISH = Reasoning()


def reasoning(chat_request: Block, report: Report) -> Reasoning:
    """The client's wish: `thinking` wins over `reasoning`, then `reasoning_effort`, then `enable_thinking`.

    A wish to think that says neither how long nor how hard takes the effort from the next field that has one:
    `{"thinking": {"type": "enabled"}, "reasoning_effort": "max"}` is DeepSeek's form. Whatever says something else than
    the wish that won is reported as ignored.
    """
    if _WISHES.isdisjoint(chat_request):
        return _NO_WISH
    wishes = list(_wishes(chat_request, report))
    if not wishes:
        return _NO_WISH
    wish = wishes[0]
    if wish.on and not wish.budget:
        told = next((other for other in wishes if other.effort), wish)
        wish = replace(wish, effort=told.effort, field=told.field)
    for other in wishes:
        if other.on != wish.on or other.effort not in {None, wish.effort} or other.budget not in {None, wish.budget}:
            report.ignore(other.field)
    return wish


def _wishes(chat_request: Block, report: Report) -> Iterator[Reasoning]:
    """Every wish that says whether to think, the strongest first."""
    if chat_request.get("thinking") is not None:
        yield _from_thinking(an_object(chat_request["thinking"], "thinking"))
    if chat_request.get("reasoning") is not None:
        yield from _from_reasoning(an_object(chat_request["reasoning"], "reasoning"), report)
    if chat_request.get("reasoning_effort") is not None:
        yield _from_effort(chat_request["reasoning_effort"], "reasoning_effort")
    template = an_object(chat_request.get("chat_template_kwargs") or {}, "chat_template_kwargs")
    for owner, name, path in (
        (chat_request, "enable_thinking", "enable_thinking"),
        (template, "enable_thinking", "chat_template_kwargs.enable_thinking"),
        (template, "thinking", "chat_template_kwargs.thinking"),
    ):
        if owner.get(name) is not None:
            yield Reasoning(on=a_boolean(owner[name], path), field=path)


def _from_thinking(thinking: Block) -> Reasoning:
    kind = optional_string(thinking, "type", "thinking")
    if kind is None:
        raise missing("thinking.type")
    budget = thinking.get("budget_tokens")
    if budget is not None:
        budget = an_integer(budget, "thinking.budget_tokens")
    if kind not in {"enabled", "adaptive", "auto", "disabled", "between_tools"}:
        raise invalid_value("thinking.type", "'enabled', 'adaptive', and 'disabled'", kind)
    display = optional_string(thinking, "display", "thinking")
    if display not in {None, "summarized", "omitted"}:
        raise invalid_value("thinking.display", "'summarized' and 'omitted'", display)
    return Reasoning(kind not in {"disabled", "between_tools"}, None, budget, "thinking", display)


def _from_reasoning(wish: Block, report: Report) -> Iterator[Reasoning]:
    """OpenRouter's field; an empty one, or one that is only about what is shown, wishes nothing."""
    if optional_boolean(wish, "exclude", "reasoning"):
        report.ignore("reasoning.exclude")
    enabled = optional_boolean(wish, "enabled", "reasoning")
    if enabled is False:
        yield Reasoning(on=False, field="reasoning")
    if wish.get("max_tokens") is not None:
        budget = an_integer(wish["max_tokens"], "reasoning.max_tokens")
        yield Reasoning(on=budget > 0, budget=budget or None, field="reasoning.max_tokens")
    if wish.get("effort") is not None:
        yield _from_effort(wish["effort"], "reasoning.effort")
    if enabled:
        yield Reasoning(on=True, field="reasoning")


def _from_effort(effort: Any, path: str) -> Reasoning:
    effort = a_string(effort, path)
    if effort == "none":
        return Reasoning(on=False, field=path)
    if effort not in EFFORTS:
        raise invalid_value(path, "'none', " + ", ".join(f"'{word}'" for word in EFFORTS), effort)
    return Reasoning(on=True, effort=effort, field=path)
