"""Every parameter a chat request may carry: its type, and what becomes of it. Nothing outside this table goes upstream.

Source: OpenAI's OpenAPI description, and what clients of z.ai, DeepSeek, LiteLLM, vLLM and OpenRouter add.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest
from app.translate.checks import (
    a_boolean,
    a_number,
    a_string,
    an_array,
    an_array_or_string,
    an_integer,
    an_object,
    between,
    invalid_value,
)
from app.translate.report import Report

Check = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Parameter:
    """`check` raises InvalidRequest for a wrong type or range. `becomes` names what it turns into upstream; empty: it
    is ignored, and reported unless its value is one of `harmless`, which mean the same as leaving it out."""

    check: Check
    becomes: str = ""
    harmless: tuple[Any, ...] = ()


def anything(value: Any, path: str) -> Any:
    return value


def ranged(check: Check, lowest: float, highest: float) -> Check:
    def checked(value: Any, path: str) -> Any:
        between(check(value, path), lowest, highest, path)

    return checked


def words(*known: str) -> Check:
    def checked(value: Any, path: str) -> Any:
        if a_string(value, path) not in known:
            raise invalid_value(path, ", ".join(f"'{word}'" for word in known), value)

    return checked


def string_or_array(value: Any, path: str) -> Any:
    return value if isinstance(value, str) else an_array_or_string(value, path)


def stop_words(value: Any, path: str) -> Any:
    if not isinstance(value, str):
        for index, item in enumerate(an_array_or_string(value, path)):
            a_string(item, f"{path}[{index}]")


def one_choice(value: Any, path: str) -> Any:
    between(an_integer(value, path), 1, 128, path)
    if value != 1:
        raise InvalidRequest(
            f"Unsupported value: 'n' does not support {value} with this upstream. "
            "Only 1 is supported; send the request several times instead.",
            param="n",
            code="unsupported_value",
        )


def text_only(value: Any, path: str) -> Any:
    for index, item in enumerate(an_array(value, path)):
        if a_string(item, f"{path}[{index}]") != "text":
            raise invalid_value(f"{path}[{index}]", "'text'", item)


def no_audio(value: Any, path: str) -> Any:
    raise InvalidRequest(
        "Unsupported parameter: 'audio'. An Anthropic-compatible model answers in text only; leave it out.",
        param="audio",
        code="unsupported_parameter",
    )


PARAMETERS: dict[str, Parameter] = {
    "messages": Parameter(an_array, "system and messages"),
    "system": Parameter(string_or_array, "system, before that of the messages"),
    "model": Parameter(a_string, "model"),
    "max_tokens": Parameter(ranged(an_integer, 1, 2**31), "max_tokens"),
    "max_completion_tokens": Parameter(ranged(an_integer, 1, 2**31), "max_tokens"),
    "temperature": Parameter(ranged(a_number, 0, 2), "temperature, at most 1"),
    "top_p": Parameter(ranged(a_number, 0, 1), "top_p"),
    "top_k": Parameter(an_integer, "top_k"),
    "stop": Parameter(stop_words, "stop_sequences"),
    "stream": Parameter(a_boolean, "stream"),
    "stream_options": Parameter(an_object, "the usage chunk"),
    "tools": Parameter(an_array, "tools"),
    "functions": Parameter(an_array, "tools"),
    "tool_choice": Parameter(anything, "tool_choice"),
    "function_call": Parameter(anything, "tool_choice"),
    "parallel_tool_calls": Parameter(a_boolean, "tool_choice.disable_parallel_tool_use"),
    "response_format": Parameter(an_object, "output_config.format, a forced tool or an instruction"),
    "reasoning_effort": Parameter(a_string, "thinking and output_config.effort"),
    "reasoning": Parameter(an_object, "thinking and output_config.effort"),
    "thinking": Parameter(an_object, "thinking and output_config.effort"),
    "enable_thinking": Parameter(a_boolean, "thinking"),
    "chat_template_kwargs": Parameter(an_object, "thinking"),
    "user": Parameter(a_string, "metadata.user_id"),
    "safety_identifier": Parameter(a_string, "metadata.user_id"),
    "user_id": Parameter(a_string, "metadata.user_id"),
    "metadata": Parameter(an_object, "metadata.user_id"),
    "service_tier": Parameter(a_string, "service_tier"),
    "web_search_options": Parameter(an_object, "the web_search tool"),
    "cache_control": Parameter(an_object, "cache_control"),
    "n": Parameter(one_choice, "one choice"),
    "modalities": Parameter(text_only, "text"),
    "audio": Parameter(no_audio, "an error"),
    "frequency_penalty": Parameter(ranged(a_number, -2, 2), harmless=(0,)),
    "presence_penalty": Parameter(ranged(a_number, -2, 2), harmless=(0,)),
    "logit_bias": Parameter(an_object, harmless=({},)),
    "logprobs": Parameter(a_boolean, harmless=(False,)),
    "top_logprobs": Parameter(ranged(an_integer, 0, 20), harmless=(0,)),
    "seed": Parameter(an_integer),
    "store": Parameter(a_boolean, harmless=(False,)),
    "prediction": Parameter(an_object),
    "moderation": Parameter(an_object),
    "prompt_cache_key": Parameter(a_string),
    "prompt_cache_options": Parameter(an_object),
    "prompt_cache_retention": Parameter(a_string),
    "verbosity": Parameter(words("low", "medium", "high"), harmless=("medium",)),
    "min_p": Parameter(a_number, harmless=(0,)),
    "repetition_penalty": Parameter(a_number, harmless=(1,)),
    "include_reasoning": Parameter(a_boolean, harmless=(True,)),
    "do_sample": Parameter(a_boolean, harmless=(True,)),
    "tool_stream": Parameter(a_boolean, harmless=(True, False)),
    "request_id": Parameter(a_string),
    "safe_prompt": Parameter(a_boolean, harmless=(False,)),
    "provider": Parameter(anything),
    "route": Parameter(anything),
    "transforms": Parameter(anything, harmless=([],)),
    "usage": Parameter(anything, harmless=({"include": True},)),
    "extra_headers": Parameter(an_object, harmless=({},)),
    "extra_body": Parameter(an_object, harmless=({},)),
    "anthropic_beta": Parameter(anything, "the anthropic-beta header"),
    "container": Parameter(anything, "container"),
    "mcp_servers": Parameter(an_array, "mcp_servers"),
    "context_management": Parameter(an_object, "context_management"),
}


def check_parameters(chat_request: dict[str, Any], report: Report) -> None:
    """Raises InvalidRequest for the first parameter of a wrong type or range; reports those that are ignored.

    A null means the same as leaving the parameter out, as OpenAI has it.
    """
    for name, value in chat_request.items():
        if value is None:
            continue
        parameter = PARAMETERS.get(name)
        if parameter is None:
            report.ignore(name)
            continue
        parameter.check(value, name)
        if not parameter.becomes and value not in parameter.harmless:
            report.ignore(name)
