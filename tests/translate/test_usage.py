"""Token counts, as Anthropic and its imitators give them, in OpenAI's usage."""

from typing import Any

import pytest

from app.translate.usage import chat_usage, completed_usage, input_tokens, merged_usage, tokens


def test_later_counts_win_unless_null_or_zero() -> None:
    start = {"input_tokens": 26, "cache_read_input_tokens": 9, "output_tokens": 1, "service_tier": "standard"}
    delta = {"input_tokens": None, "cache_read_input_tokens": 0, "output_tokens": 17}
    merged = merged_usage(start, delta)
    assert merged == {**start, "output_tokens": 17}
    assert start["output_tokens"] == 1
    assert merged_usage({"input_tokens": 26}, {"input_tokens": "0"}) == {"input_tokens": 26}


def test_zeros_at_the_start_give_way_to_counts_at_the_end() -> None:
    assert merged_usage({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 12, "output_tokens": 3}) == {
        "input_tokens": 12,
        "output_tokens": 3,
    }


@pytest.mark.parametrize("later", [None, [], "none", 3])
def test_a_usage_that_is_no_object_changes_nothing(later: Any) -> None:
    assert merged_usage({"input_tokens": 1}, later) == {"input_tokens": 1}


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12),
        ("12", 12),
        (12.0, 12),
        (0, 0),
        (None, 0),
        ("many", 0),
        ("", 0),
        ("-3", 0),
        ("²", 0),
        ("١٢", 0),
        ("9" * 5000, 0),
        (-1, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (10**300, 0),
        ([], 0),
        ({}, 0),
    ],
)
def test_a_count_is_a_number_whatever_came(value: Any, count: int) -> None:
    assert tokens({"input_tokens": value}, "input_tokens") == count


def test_the_prompt_is_fresh_written_and_read_tokens_together() -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 20000}
    assert input_tokens(usage) == 21003
    told = chat_usage(usage | {"output_tokens": 17, "output_tokens_details": {"thinking_tokens": 9}})
    assert told["prompt_tokens"] == 21003
    assert told["completion_tokens"] == 17
    assert told["total_tokens"] == 21020
    assert told["prompt_tokens_details"] == {"cached_tokens": 20000, "cache_write_tokens": 1000, "audio_tokens": 0}
    assert told["completion_tokens_details"]["reasoning_tokens"] == 9


def test_an_estimate_fills_only_the_side_without_a_count() -> None:
    estimate = {"input_tokens": 8, "output_tokens": 2}
    assert completed_usage({"input_tokens": 0}, estimate) == estimate
    assert completed_usage({"input_tokens": 5, "output_tokens": "0"}, estimate) == {
        "input_tokens": 5,
        "output_tokens": 2,
    }
    cached = {"input_tokens": 0, "cache_read_input_tokens": 700}
    assert input_tokens(completed_usage(cached, estimate)) == 700
