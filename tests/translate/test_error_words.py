"""OpenAI's own sentence behind an upstream's, where clients tell an error by its words."""

import pytest

from app.translate.error_words import openai_words

LONG = "This model's maximum context length is"


@pytest.mark.parametrize(
    ("message", "added"),
    [
        (
            "prompt is too long: 210000 tokens > 200000 maximum",
            f"{LONG} 200000 tokens. However, your messages resulted in 210000 tokens. "
            "Please reduce the length of the messages.",
        ),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease them",
            f"{LONG} 200000 tokens. However, you requested 210000 tokens (190000 in the messages, 20000 in the "
            "completion). Please reduce the length of the messages or completion.",
        ),
        ("Prompt exceeds max length", f"{LONG} exceeded. Please reduce the length of the messages."),
        (
            f"{'9' * 13} tokens > {'9' * 5000} maximum",
            f"{LONG} exceeded. Please reduce the length of the messages.",
        ),
    ],
)
def test_a_context_that_is_too_long(message: str, added: str) -> None:
    assert openai_words("context_length_exceeded", message) == f"{message} ({added})"


@pytest.mark.parametrize(
    ("message", "added"),
    [
        ("invalid x-api-key", "Incorrect API key provided."),
        ("x-api-key header is required", "You didn't provide an API key."),
        ("Missing Authentication header", "You didn't provide an API key."),
        ("no key given", "You didn't provide an API key."),
        ("unrequired", "Incorrect API key provided."),
    ],
)
def test_a_key_that_is_wrong_or_missing(message: str, added: str) -> None:
    assert openai_words("invalid_api_key", message) == f"{message} ({added})"


def test_a_model_that_is_unknown() -> None:
    theirs = "The model `glm-9` does not exist or you do not have access to it."
    assert openai_words("model_not_found", "model: glm-9") == f"model: glm-9 ({theirs})"


@pytest.mark.parametrize("message", ["No such model: glm-9", "model: a`b", "model: a\nb", "model: " + "x" * 201])
def test_a_model_that_is_not_named_as_anthropic_does_is_not_quoted(message: str) -> None:
    assert openai_words("model_not_found", message) == message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("context_length_exceeded", "the Maximum Context Length is 5"),
        ("invalid_api_key", "incorrect api key: x"),
        ("rate_limit_exceeded", "slow down"),
        (None, "210000 tokens > 200000 maximum"),
    ],
)
def test_what_says_it_already_or_is_told_by_its_code_stays(code: str | None, message: str) -> None:
    assert openai_words(code, message) == message
