"""temperature, top_p, top_k and stop, as far as the model takes them, takes them together, or with thinking."""

from __future__ import annotations

from typing import Any

from app.profiles.profile import Profile
from app.translate.content import is_blank
from app.translate.report import Report

Block = dict[str, Any]
LEAST_TOP_P_WHILE_THINKING = 0.95
"""`top_p must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode` (observed)."""
_ABOVE_ZERO = 0.01
"""Stands for 0 where 0 is refused."""


def sampling(chat_request: Block, profile: Profile, thinks: bool, report: Report) -> Block:
    """The sampling parameters to send; `thinks` tells whether the model will."""
    refused = profile.sampling == "none"
    bound = thinks and not profile.sampling_while_thinking
    temperature: Any = chat_request.get("temperature")
    top_p: Any = chat_request.get("top_p")
    top_k: Any = chat_request.get("top_k")
    sent: Block = {}
    if _goes("temperature", temperature, not (refused or bound), report):
        sent["temperature"] = _fitting("temperature", temperature, profile, report)
    crowded = profile.sampling == "one" and "temperature" in sent
    too_low = bound and top_p is not None and top_p < LEAST_TOP_P_WHILE_THINKING
    if _goes("top_p", top_p, not (refused or crowded or too_low), report):
        sent["top_p"] = _fitting("top_p", top_p, profile, report)
    if top_k is not None and (refused or bound or top_k < 0):
        report.ignore("top_k")
    elif top_k is not None:
        sent["top_k"] = int(top_k)
    return sent


def _goes(name: str, value: float | None, taken: bool, report: Report) -> bool:
    """Whether `value` is sent. 1 is what a model does without being asked, so leaving it out ignores nothing."""
    if value is None:
        return False
    if not taken and value != 1:
        report.ignore(name)
    return taken


def _fitting(name: str, value: float, profile: Profile, report: Report) -> float:
    """OpenAI's temperature goes to 2, Anthropic's to 1; some upstreams refuse 0."""
    fitting: float = min(value, 1)
    if fitting == 0 and not profile.zero_sampling:
        fitting = _ABOVE_ZERO
    if fitting != value:
        report.adjust(name, fitting)
    return fitting


def stop_sequences(chat_request: Block, profile: Profile, report: Report) -> list[str]:
    """The legal ones of `stop`: `each stop sequence must contain non-whitespace` (observed message)."""
    stop = chat_request.get("stop")
    if stop is None:
        return []
    words = [stop] if isinstance(stop, str) else list(stop)
    sequences = list(dict.fromkeys(word for word in words if not is_blank(word)))
    if len(sequences) < len(set(words)) or (sequences and not profile.stop_sequences):
        report.ignore("stop")
    return sequences if profile.stop_sequences else []
