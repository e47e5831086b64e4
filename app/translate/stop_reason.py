"""Anthropic stop_reason -> OpenAI finish_reason."""

from __future__ import annotations

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}


def finish_reason(stop_reason: str | None, calls: int, legacy: bool = False) -> str:
    """`calls` is the number of tool calls in the answer: some upstreams say end_turn although there are some."""
    reason = _FINISH_REASONS.get(stop_reason or "")
    if reason:
        return reason
    if calls:
        return "function_call" if legacy else "tool_calls"
    return "stop"
