"""What was sent is held for as long as its tokens may have to be estimated, and no longer."""

from typing import Any

import pytest

from app.exchanges.sent_prompt import SentPrompt

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "word " * 1000}]}
NOT_COUNTED = {"input_tokens": 0, "output_tokens": 1}


def test_a_prompt_that_nobody_reads_the_tokens_of_is_let_go_at_once() -> None:
    prompt = SentPrompt(BODY, "m", counted=False)
    prompt.release({})
    assert prompt.body == {}


def test_a_counted_prompt_is_let_go_and_its_count_kept() -> None:
    prompt = SentPrompt(BODY, "m", counted=True)
    prompt.release({})
    assert prompt.body is BODY
    prompt.release({"input_tokens": 7})
    assert prompt.body == {}
    prompt.release(NOT_COUNTED)
    assert prompt.estimate("some words")["input_tokens"] == 7


@pytest.mark.parametrize("usages", [[], [NOT_COUNTED], [NOT_COUNTED, {"input_tokens": 7}]])
def test_a_prompt_that_the_first_usage_does_not_count_is_estimated(usages: list[dict[str, Any]]) -> None:
    prompt = SentPrompt(BODY, "m", counted=True)
    for usage in usages:
        prompt.release(usage)
    estimate = prompt.estimate("some words")
    assert estimate["input_tokens"] > 900
    assert estimate["output_tokens"] in range(1, 9)
