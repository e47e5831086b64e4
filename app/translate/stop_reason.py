"""Anthropic stop_reason -> OpenAI finish_reason."""

from __future__ import annotations

from typing import Any

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


def stop_reason_of(message: dict[str, Any]) -> str:
    """The stop_reason of a whole message; where an upstream leaves it out, what a plain end of its content is.

    The end of a whole message cannot be missing, and agents run the tools of a message only if it stopped for them.
    """
    reason = message.get("stop_reason")
    if isinstance(reason, str) and reason:
        return reason
    blocks = message.get("content") or ()
    calls = any(isinstance(block, dict) and block.get("type") == "tool_use" for block in blocks)
    return "tool_use" if calls else "end_turn"
