"""Each failure in the error body, and with the status, of the client's own API."""

from typing import Any

import pytest

from app.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ProxyError,
    RequestTimeout,
    RequestTooLarge,
    Unauthorized,
    UnsupportedMediaType,
    UpstreamBroken,
    UpstreamRefusal,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.translate.error_body import anthropic_error, openai_error


def kind(error: ProxyError) -> tuple[int, str, str | None, str | None]:
    status, body = openai_error(error)
    told = body["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["message"].startswith(error.message)
    return status, told["type"], told["code"], told["param"]


INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest("m", "messages.2.content.0"), (400, INVALID, None, "messages[2].content[0]")),
        (InvalidRequest("m", "n", "unsupported_value"), (400, INVALID, "unsupported_value", "n")),
        (InvalidRequest("m"), (400, INVALID, None, None)),
        (Unauthorized("m"), (401, INVALID, "invalid_api_key", None)),
        (NotFound("m"), (404, INVALID, "not_found", None)),
        (NotFound("m", "model", "model_not_found"), (404, INVALID, "model_not_found", "model")),
        (MethodNotAllowed("m"), (405, INVALID, "method_not_allowed", None)),
        (RequestTimeout("m"), (408, INVALID, None, None)),
        (RequestTooLarge("m"), (413, INVALID, "request_too_large", None)),
        (UnsupportedMediaType("m"), (415, INVALID, None, None)),
        (UpstreamUnreachable("m"), (502, "server_error", "upstream_unreachable", None)),
        (UpstreamBroken("m"), (502, "server_error", None, None)),
        (UpstreamTimeout("m"), (504, "server_error", "timeout", None)),
        (ProxyError("m"), (500, "server_error", None, None)),
    ],
)
def test_failures_of_our_own_for_openai_clients(error: ProxyError, expected: Any) -> None:
    assert kind(error) == expected


@pytest.mark.parametrize(
    ("status", "type", "message", "code", "expected"),
    [
        (400, INVALID, "Nothing special", None, (400, INVALID, None, None)),
        (
            400,
            INVALID,
            "prompt is too long: 9 tokens > 8 maximum",
            None,
            (400, INVALID, "context_length_exceeded", "messages"),
        ),
        (
            400,
            INVALID,
            "input length and `max_tokens` exceed context limit: 9",
            None,
            (400, INVALID, "context_length_exceeded", "messages"),
        ),
        (
            400,
            INVALID,
            "This model's maximum context length is 8 tokens",
            None,
            (400, INVALID, "context_length_exceeded", "messages"),
        ),
        (413, INVALID, "context window exceeded", None, (400, INVALID, "context_length_exceeded", "messages")),
        (400, INVALID, "m", "1261", (400, INVALID, "context_length_exceeded", "messages")),
        (400, INVALID, "Your credit balance is too low", None, (429, "insufficient_quota", "insufficient_quota", None)),
        (402, "billing_error", "m", None, (429, "insufficient_quota", "insufficient_quota", None)),
        (402, INVALID, "Insufficient Balance", None, (429, "insufficient_quota", "insufficient_quota", None)),
        (429, "billing_error", "m", "1113", (429, "insufficient_quota", "insufficient_quota", None)),
        (401, "authentication_error", "invalid x-api-key", None, (401, INVALID, "invalid_api_key", None)),
        (403, "permission_error", "m", None, (403, INVALID, "permission_denied", None)),
        (404, "not_found_error", "model: x", None, (404, INVALID, "model_not_found", "model")),
        (
            404,
            "not_found_error",
            'model "x" not found, try pulling it first',
            None,
            (404, INVALID, "model_not_found", "model"),
        ),
        (404, "not_found_error", "The model `x` does not exist.", None, (404, INVALID, "model_not_found", "model")),
        (400, "not_found_error", "m", "1211", (404, INVALID, "model_not_found", "model")),
        (404, "not_found_error", "Not found", None, (404, INVALID, None, None)),
        (409, "conflict_error", "m", None, (409, INVALID, None, None)),
        (413, "request_too_large", "Request exceeds the maximum size", None, (413, INVALID, "request_too_large", None)),
        (422, INVALID, "messages.1.role: wrong", None, (422, INVALID, None, "messages[1].role")),
        (429, "rate_limit_error", "50 requests per minute", None, (429, "requests", "rate_limit_exceeded", None)),
        (429, "rate_limit_error", "30,000 input tokens per minute", None, (429, "tokens", "rate_limit_exceeded", None)),
        (429, "overloaded_error", "m", "1305", (503, "server_error", "overloaded", None)),
        (500, "api_error", "Internal server error", None, (500, "server_error", None, None)),
        (500, "overloaded_error", "Overloaded", None, (503, "server_error", "overloaded", None)),
        (502, "api_error", "m", None, (502, "server_error", None, None)),
        (503, "overloaded_error", "m", None, (503, "server_error", "overloaded", None)),
        (504, "timeout_error", "m", None, (504, "server_error", "timeout", None)),
        (520, "api_error", "m", None, (500, "server_error", None, None)),
        (529, "overloaded_error", "Overloaded", None, (503, "server_error", "overloaded", None)),
        (400, INVALID, "tools.0.custom.name: String should match", None, (400, INVALID, None, "tools[0].custom.name")),
        (400, INVALID, "max_tokens: 9 > 8, which is the maximum", None, (400, INVALID, None, "max_tokens")),
        (400, INVALID, "error: something else", None, (400, INVALID, None, None)),
        (400, INVALID, "tool_choice: Tool 'x' not found in provided tools", None, (400, INVALID, None, "tool_choice")),
    ],
)
def test_an_upstreams_refusal_for_openai_clients(
    status: int, type: str, message: str, code: str | None, expected: Any
) -> None:
    assert kind(UpstreamRefusal(status, type, message, code)) == expected


TOO_LONG = "prompt is too long: 202630 tokens > 200000 maximum"
TOO_MUCH = (
    "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000, decrease input length or "
    "`max_tokens` and try again"
)
VLLM = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (
            400,
            TOO_LONG,
            f"{TOO_LONG} (This model's maximum context length is 200000 tokens. However, your messages resulted in "
            "202630 tokens. Please reduce the length of the messages.)",
        ),
        (
            400,
            TOO_MUCH,
            f"{TOO_MUCH} (This model's maximum context length is 200000 tokens. However, you requested 254000 tokens "
            "(190000 in the messages, 64000 in the completion). Please reduce the length of the messages or "
            "completion.)",
        ),
        (
            400,
            "Your request exceeded model token limit: 9",
            "Your request exceeded model token limit: 9 (This model's maximum context length is exceeded. Please "
            "reduce the length of the messages.)",
        ),
        (400, VLLM, VLLM),
        (400, "prompt is odd", "prompt is odd"),
        (401, "invalid x-api-key", "invalid x-api-key (Incorrect API key provided.)"),
        (
            401,
            "x-api-key header is required",
            "x-api-key header is required (You didn't provide an API key.)",
        ),
        (401, "Incorrect API key provided: sk-1", "Incorrect API key provided: sk-1"),
        (
            404,
            "model: glm-9 [1m]",
            "model: glm-9 [1m] (The model `glm-9 [1m]` does not exist or you do not have access to it.)",
        ),
        (404, "model 'x' not found", "model 'x' not found"),
        (404, "Not found", "Not found"),
        (429, TOO_LONG, TOO_LONG),
    ],
)
def test_sentences_by_which_openai_clients_tell_errors(status: int, message: str, words: str) -> None:
    """LiteLLM, CrewAI, LangChain, Continue and pi look for them, some for nothing else."""
    _, body = openai_error(UpstreamRefusal(status, INVALID, message))
    assert body["error"]["message"] == words


@pytest.mark.parametrize(
    ("error", "status", "type", "message"),
    [
        (InvalidRequest("wrong", "messages.2"), 400, INVALID, "messages.2: wrong"),
        (InvalidRequest("wrong"), 400, INVALID, "wrong"),
        (Unauthorized("m"), 401, "authentication_error", "m"),
        (NotFound("m"), 404, "not_found_error", "m"),
        (MethodNotAllowed("m"), 405, INVALID, "m"),
        (RequestTooLarge("m"), 413, "request_too_large", "m"),
        (UnsupportedMediaType("m"), 415, INVALID, "m"),
        (UpstreamUnreachable("m"), 502, "api_error", "m"),
        (UpstreamTimeout("m"), 504, "timeout_error", "m"),
        (ProxyError("m"), 500, "api_error", "m"),
        (UpstreamRefusal(429, "rate_limit_error", "m"), 429, "rate_limit_error", "m"),
        (UpstreamRefusal(529, "overloaded_error", "m"), 529, "overloaded_error", "m"),
        (UpstreamRefusal(503, "overloaded_error", "m"), 503, "overloaded_error", "m"),
    ],
)
def test_failures_for_anthropic_clients(error: ProxyError, status: int, type: str, message: str) -> None:
    body = {"type": "error", "error": {"type": type, "message": message}}
    assert anthropic_error(error) == (status, body)
    assert anthropic_error(error, "req_1") == (status, body | {"request_id": "req_1"})
