"""The client's wish to reason -> `thinking` and `output_config.effort` of this model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from app.profiles.known_models import ALL_EFFORTS
from app.profiles.profile import Profile
from app.translate.reasoning import Reasoning
from app.translate.report import Report

Block = dict[str, Any]
MIN_BUDGET = 1024
"""`thinking.enabled.budget_tokens: Input should be greater than or equal to 1024` (observed message)."""
BUDGETS = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 32768,
}
"""Tokens of thinking for a level of effort, for models that take a budget instead."""


class Conflict(NamedTuple):
    """What thinking cannot go together with in one request.

    `yields_to` names it (a forced tool, a prefill). `loop_lost`: the thinking that an open tool loop began with cannot
    be sent back.
    """

    yields_to: str | None = None
    loop_lost: bool = False


class ThinkingPlan(NamedTuple):
    """What goes upstream; `active` tells whether the model will think, asked or by default."""

    thinking: Block | None
    effort: str | None
    max_tokens: int
    active: bool


def thinking_plan(
    wish: Reasoning,
    profile: Profile,
    max_tokens: int | None,
    default_max_tokens: int,
    conflict: Conflict,
    report: Report,
) -> ThinkingPlan:
    """What to send for `wish`, where `conflict` leaves room for it."""
    limit = max_tokens or default_max_tokens
    profile, yields_to = _without_lost_loop(profile, conflict)
    if yields_to or wish.on is False:
        return _off(wish, profile, limit, yields_to, report)
    if wish.on is None:
        shown = profile.thinks_unasked and profile.thinking_display and "adaptive" in profile.thinking
        return ThinkingPlan(_adaptive(wish, profile) if shown else None, None, limit, profile.thinks_unasked)
    if "adaptive" in profile.thinking and not (wish.budget and "enabled" in profile.thinking):
        effort = _sent_effort(wish, profile, report) or _supported_effort(_effort_of(wish.budget), profile)
        return ThinkingPlan(_adaptive(wish, profile), effort, limit, True)
    if "enabled" in profile.thinking:
        return _enabled(wish, profile, max_tokens, default_max_tokens, report)
    report.ignore(wish.field)
    return ThinkingPlan(None, None, limit, profile.thinks_unasked)


def _without_lost_loop(profile: Profile, conflict: Conflict) -> tuple[Profile, str | None]:
    """What is left of the model's thinking, and what thinking yields to, if an open tool loop lost its own.

    Adaptive thinking does not ask for it back; upstreams without signatures don't either.
    """
    if not (conflict.loop_lost and profile.loop_thinking):
        return profile, conflict.yields_to
    if "adaptive" not in profile.thinking:
        return profile, conflict.yields_to or "the tool loop's thinking is lost"
    kinds = tuple(kind for kind in profile.thinking if kind != "enabled")
    return replace(profile, thinking=kinds), conflict.yields_to


def _adaptive(wish: Reasoning, profile: Profile) -> Block:
    return {"type": "adaptive"} | ({"display": wish.display or "summarized"} if profile.thinking_display else {})


def _off(wish: Reasoning, profile: Profile, limit: int, yields_to: str | None, report: Report) -> ThinkingPlan:
    """No thinking, or as little as the model can."""
    off = [kind for kind in ("disabled", "between_tools") if kind in profile.thinking]
    if off or not profile.thinks_unasked:
        if yields_to and wish.on:
            report.adjust(wish.field, f"none ({yields_to})")
        return ThinkingPlan({"type": off[0]} if off and profile.thinks_unasked else None, None, limit, False)
    effort = _supported_effort(wish.effort if wish.on else "low", profile) if wish.on is not None else None
    if wish.on is False:
        if effort is None:
            report.ignore(wish.field)
        else:
            report.adjust(wish.field, effort)
    return ThinkingPlan(None, effort, limit, True)


def _enabled(
    wish: Reasoning, profile: Profile, max_tokens: int | None, default_max_tokens: int, report: Report
) -> ThinkingPlan:
    """A budget that fits: like OpenAI's, the client's max_tokens covers reasoning and answer together."""
    budget = wish.budget or BUDGETS[wish.effort or "medium"]
    limit = max_tokens or max(default_max_tokens, 2 * budget)
    if not max_tokens and profile.max_output_tokens:
        limit = min(limit, profile.max_output_tokens)
    fitting = budget if wish.budget and MIN_BUDGET <= budget < limit else min(budget, limit // 2)
    if fitting < MIN_BUDGET <= limit // 2:
        fitting = MIN_BUDGET
    if fitting < MIN_BUDGET:
        return _off(wish, profile, limit, f"max_tokens={limit} leaves no room", report)
    if wish.budget and fitting != budget:
        report.adjust(wish.field, f"budget_tokens:{fitting}")
    effort = _sent_effort(wish, profile, report)
    return ThinkingPlan({"type": "enabled", "budget_tokens": fitting}, effort, limit, True)


def _sent_effort(wish: Reasoning, profile: Profile, report: Report) -> str | None:
    sent = _supported_effort(wish.effort, profile)
    if sent and sent != wish.effort != "minimal":
        report.adjust(wish.field, sent)
    return sent


def _supported_effort(effort: str | None, profile: Profile) -> str | None:
    """The lowest level the model has that is not below `effort`, else its highest; None if it has none."""
    if effort is None or not profile.efforts:
        return None
    wanted = ALL_EFFORTS.index("low" if effort == "minimal" else effort)
    return next((level for level in profile.efforts if ALL_EFFORTS.index(level) >= wanted), profile.efforts[-1])


def _effort_of(budget: int | None) -> str | None:
    if budget is None:
        return None
    return next((effort for effort in ALL_EFFORTS if budget <= BUDGETS[effort]), "max")
