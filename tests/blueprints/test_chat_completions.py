"""POST /v1/chat/completions: what goes up, what comes back, in headers and bodies."""

import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, PNG, STREAM, Proxy, sent, sent_headers
from tests.fake_upstream import responses_callback

PATH = "/v1/chat/completions"


def test_a_completion(proxy: Proxy, answering: responses.RequestsMock) -> None:
    answer = proxy().post(PATH, json=CHAT_REQUEST)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    body = answer.json
    assert body["object"] == "chat.completion"
    assert body["model"] == "some-model"
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["usage"]["total_tokens"] == 11
    assert sent(answering)["messages"][0]["role"] == "user"


def test_a_stream(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream", headers={"request-id": "req_1"})
    answer = proxy().post(PATH, json=CHAT_REQUEST | {"stream": True})
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["x-upstream-model"] == "some-model"
    assert answer.headers["x-upstream-request-id"] == "req_1"
    frames = answer.data.decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == "Hello"
    assert {chunk["model"] for chunk in chunks} == {"some-model"}
    assert sent(upstream)["stream"] is True


def test_what_goes_upstream_is_what_the_real_api_takes(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    fake = responses_callback()
    upstream.add_callback(responses.POST, MESSAGES, callback=fake)
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    body = {
        "model": "claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "[[tool:f]]"}, image]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "temperature": 1.7,
        "seed": 1,
        "logit_bias": {"1": 1},
    }
    answer = proxy().post(PATH, json=body, headers={"authorization": "Bearer sk-x"})
    assert fake.requests[0].refusal is None
    assert answer.json["choices"][0]["finish_reason"] == "tool_calls"
    assert set(answer.headers["x-proxy-ignored"].split(", ")) == {"seed", "logit_bias"}
    assert "temperature=1" in answer.headers["x-proxy-adjusted"]


@pytest.mark.parametrize("stream", [False, True])
def test_headers_upstream(proxy: Proxy, upstream: responses.RequestsMock, stream: bool) -> None:
    upstream.post(MESSAGES, body=STREAM if stream else json.dumps(MESSAGE), content_type="application/json")
    given = {
        "authorization": "Bearer sk-client",
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "x-2026-01-01",
        "cookie": "a=1",
        "openai-organization": "org",
        "user-agent": "OpenAI/Python",
        "x-stainless-lang": "python",
    }
    proxy().post(PATH, json=CHAT_REQUEST | {"stream": stream}, headers=given)
    headers = sent_headers(upstream)
    # The newer version refuses temperature, which a translated request may carry.
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["anthropic-beta"] == "x-2026-01-01"
    assert headers["authorization"] == "Bearer sk-client"
    assert set(headers) == {
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "authorization",
        "content-type",
        "user-agent",
        "x-request-id",
    }


LIMITS = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2020-01-01T00:00:00Z",
    "anthropic-ratelimit-input-tokens-limit": "1000",
    "anthropic-ratelimit-tokens-remaining": "900",
    "anthropic-ratelimit-input-tokens-remaining": "901",
    "retry-after": "7",
    "x-should-retry": "true",
    "request-id": "req_1",
    "set-cookie": "a=1",
    "server": "x",
}


@pytest.mark.parametrize("status", [200, 429])
def test_headers_that_come_back(proxy: Proxy, upstream: responses.RequestsMock, status: int) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Number of requests exceeded"}}
    upstream.post(MESSAGES, json=MESSAGE if status == 200 else error, status=status, headers=LIMITS)
    answer = proxy().post(PATH, json=CHAT_REQUEST)
    assert answer.status_code == status
    headers = {name.lower(): value for name, value in answer.headers}
    assert headers["x-ratelimit-limit-requests"] == "50"
    assert headers["x-ratelimit-remaining-requests"] == "49"
    assert headers["x-ratelimit-reset-requests"] == "0s"
    assert headers["x-ratelimit-limit-tokens"] == "1000"
    assert headers["x-ratelimit-remaining-tokens"] == "900"
    assert headers["anthropic-ratelimit-requests-limit"] == "50"
    assert headers["retry-after"] == "7"
    assert headers["x-should-retry"] == "true"
    assert headers["x-upstream-request-id"] == "req_1"
    assert headers["x-upstream-model"] == "some-model"
    assert not headers.keys() & {"set-cookie", "server", "request-id"}


@pytest.mark.parametrize(
    ("status", "type", "message", "expected"),
    [
        (400, "invalid_request_error", "max_tokens: nope", (400, "invalid_request_error", None, "max_tokens")),
        (401, "authentication_error", "invalid x-api-key", (401, "invalid_request_error", "invalid_api_key", None)),
        (403, "permission_error", "no", (403, "invalid_request_error", "permission_denied", None)),
        (404, "not_found_error", "model: x", (404, "invalid_request_error", "model_not_found", "model")),
        (429, "rate_limit_error", "slow", (429, "requests", "rate_limit_exceeded", None)),
        (500, "api_error", "oh", (500, "server_error", None, None)),
        (529, "overloaded_error", "Overloaded", (503, "server_error", "overloaded", None)),
    ],
)
def test_upstream_errors_in_openais_words(
    proxy: Proxy,
    upstream: responses.RequestsMock,
    status: int,
    type: str,
    message: str,
    expected: tuple[int, str, str | None, str | None],
) -> None:
    upstream.post(MESSAGES, json={"type": "error", "error": {"type": type, "message": message}}, status=status)
    for stream in (False, True):
        answer = proxy().post(PATH, json=CHAT_REQUEST | {"stream": stream})
        error: Any = answer.json["error"]
        assert (answer.status_code, error["type"], error["code"], error["param"]) == expected
        assert error["message"]


def test_strange_model_names_make_no_headers(proxy: Proxy, answering: responses.RequestsMock) -> None:
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"):
        body = CHAT_REQUEST | {"model": "模型\r\nset-cookie: a=1", "max_tokens": 5}
        answer = proxy().post(path, json=body)
        assert answer.status_code == 200
        assert answer.headers["x-upstream-model"] == "\\u6a21\\u578b  set-cookie: a=1"
        assert "set-cookie" not in answer.headers
