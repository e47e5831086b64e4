"""Anthropic usage -> OpenAI usage; every number is a count of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Usage = dict[str, Any]
COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_MAX_DIGITS = 15
_MOST = 10**_MAX_DIGITS


def merged_usage(earlier: Usage, later: Any) -> Usage:
    """Later values win unless null, and a zero never hides a count: z.ai counts only in message_delta."""
    if not isinstance(later, dict):
        return earlier
    merged = dict(earlier)
    for name, value in later.items():
        if value is not None and not (value in (0, "0") and merged.get(name)):
            merged[name] = value
    return merged


def completed_usage(usage: Usage, estimate: Usage) -> Usage:
    """`usage` with the estimate for the side, input or output, that the upstream counts as zero or not at all."""
    completed = dict(usage)
    if not input_tokens(usage):
        completed["input_tokens"] = estimate.get("input_tokens")
    if not tokens(usage, "output_tokens"):
        completed["output_tokens"] = estimate.get("output_tokens")
    return completed


def tokens(usage: Mapping[str, Any], name: str) -> int:
    """A count that may be missing, null, or a string of digits; what no count can be is 0."""
    value = usage.get(name)
    if type(value) is int and 0 <= value < _MOST:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    return int(value) if isinstance(value, int | float) and 0 <= value < _MOST else 0


def input_tokens(usage: Mapping[str, Any]) -> int:
    """All tokens of the prompt: Anthropic counts those read from and written to the cache apart."""
    written, read = tokens(usage, "cache_creation_input_tokens"), tokens(usage, "cache_read_input_tokens")
    return tokens(usage, "input_tokens") + written + read


def chat_usage(usage: Mapping[str, Any]) -> Usage:
    """OpenAI's usage object; prompt_tokens includes the cached ones."""
    prompt = input_tokens(usage)
    completion = tokens(usage, "output_tokens")
    details = usage.get("output_tokens_details")
    reasoning = tokens(details, "thinking_tokens") if isinstance(details, dict) else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": tokens(usage, "cache_read_input_tokens"),
            "cache_write_tokens": tokens(usage, "cache_creation_input_tokens"),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
