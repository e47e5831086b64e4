"""Anthropic's stop reasons as OpenAI's finish reasons."""

import pytest

from app.translate.stop_reason import finish_reason


@pytest.mark.parametrize(
    ("stop_reason", "calls", "legacy", "expected"),
    [
        ("end_turn", 0, False, "stop"),
        ("stop_sequence", 0, False, "stop"),
        ("pause_turn", 0, False, "stop"),
        ("compaction", 0, False, "stop"),
        (None, 0, False, "stop"),
        ("of_tomorrow", 0, False, "stop"),
        ("max_tokens", 0, False, "length"),
        ("model_context_window_exceeded", 0, False, "length"),
        ("tool_use", 1, False, "tool_calls"),
        ("tool_use", 1, True, "function_call"),
        ("refusal", 0, False, "content_filter"),
        ("sensitive", 0, False, "content_filter"),
        # Calls decide where the reason says nothing about them, and nothing else does.
        ("end_turn", 2, False, "tool_calls"),
        (None, 1, False, "tool_calls"),
        ("tool_use", 0, False, "stop"),
        # Calls that max_tokens cut, or that came before a refusal, must not be run.
        ("max_tokens", 1, False, "length"),
        ("refusal", 1, True, "content_filter"),
    ],
)
def test_finish_reason(stop_reason: str | None, calls: int, legacy: bool, expected: str) -> None:
    assert finish_reason(stop_reason, calls, legacy) == expected
