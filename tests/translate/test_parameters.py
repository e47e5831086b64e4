"""The table of parameters is whole: every documented field is in it, and each entry means what it says."""

import pytest

from app.errors import InvalidRequest
from app.translate.parameters import PARAMETERS
from tests.translate.requests import HELLO, translation

# OpenAI's OpenAPI description of Chat Completions, 2026-08-21.
DOCUMENTED = [
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "presence_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "tool_choice",
    "tools",
    "user",
    "verbosity",
    "web_search_options",
]
IGNORED = {
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"1": 5},
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "store": True,
    "prediction": {"type": "content", "content": "x"},
    "moderation": {"model": "m"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "verbosity": "low",
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "include_reasoning": False,
    "do_sample": False,
    "request_id": "r",
    "safe_prompt": True,
    "provider": {"order": []},
    "route": "fallback",
    "transforms": ["middle-out"],
    "usage": {"include": False},
    "extra_headers": {"x": "y"},
    "extra_body": {"x": "y"},
}
HARMLESS = [(name, value) for name, parameter in PARAMETERS.items() for value in parameter.harmless]


def test_every_documented_parameter_is_known() -> None:
    assert set(DOCUMENTED) <= set(PARAMETERS)


def test_every_ignored_parameter_is_listed_here() -> None:
    silent = {name for name, parameter in PARAMETERS.items() if not parameter.becomes} - {"tool_stream"}
    assert silent == set(IGNORED)


def test_anthropics_system_comes_before_the_system_messages() -> None:
    found = translation({"role": "system", "content": "B"}, HELLO, system="A")
    assert found.body["system"] == "A\n\nB"
    assert found.ignored == ()


@pytest.mark.parametrize(("system", "param"), [({"type": "text", "text": "A"}, "system"), ([5], "system[0]")])
def test_a_system_of_another_type_is_refused(system: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation(system=system)
    assert (caught.value.param, caught.value.code) == (param, "invalid_type")


@pytest.mark.parametrize("name", IGNORED)
def test_what_has_no_meaning_upstream_is_ignored_and_told(name: str) -> None:
    found = translation(**{name: IGNORED[name]})
    assert found.body == translation().body
    assert found.ignored == (name,)


@pytest.mark.parametrize(("name", "value"), HARMLESS, ids=str)
def test_a_value_that_changes_nothing_is_not_told(name: str, value: object) -> None:
    assert translation(**{name: value}).ignored == ()
