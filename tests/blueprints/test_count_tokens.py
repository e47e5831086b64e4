"""POST /v1/messages/count_tokens: the upstream's count, or an estimate; never a failure."""

import json
import time
from typing import Any

import pytest
import requests
import responses

from tests.blueprints.conftest import COUNT, MESSAGES, PNG, Proxy, sent, sent_headers

PATH = "/v1/messages/count_tokens"
REQUEST: dict[str, Any] = {"model": "glm-4.6", "messages": [{"role": "user", "content": "How many tokens is this?"}]}
OWN = b'{"input_tokens":36 , "context_management":{"original_input_tokens":40}}'


def test_the_upstreams_count(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(COUNT, body=OWN, content_type="application/json", headers={"request-id": "req_1", "server": "x"})
    answer = proxy(COUNT_SHAPE_COMPAT="false").post(PATH, json=REQUEST, headers={"anthropic-beta": "b-1"})
    assert answer.data == OWN
    assert answer.headers["request-id"] == "req_1"
    assert answer.headers["x-upstream-model"] == "glm-4.6"
    assert "x-proxy-estimate" not in answer.headers
    assert sent(upstream) == REQUEST
    assert sent_headers(upstream)["anthropic-beta"] == "b-1"


def test_keys_beside_it_for_openai_clients(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(COUNT, body=OWN, content_type="application/json")
    assert proxy().post(PATH, json=REQUEST).json == json.loads(OWN) | {
        "token_count": 36,
        "input_token_count": 36,
        "usage": {"prompt_tokens": 36, "total_tokens": 36},
    }


@pytest.mark.parametrize("compatible", ["true", "false"])
def test_the_estimate_is_marked(proxy: Proxy, compatible: str) -> None:
    answer = proxy(FORWARD_COUNT_TO_UPSTREAM="false", COUNT_SHAPE_COMPAT=compatible).post(PATH, json=REQUEST)
    tokens = answer.json["input_tokens"]
    assert 5 <= tokens <= 30
    assert answer.headers["x-proxy-estimate"] == "true"
    expected = {"input_tokens": tokens, "proxy_estimate": True}
    if compatible == "true":
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        expected |= {"token_count": tokens, "input_token_count": tokens, "usage": usage}
    assert answer.json == expected


LONG = "Seven words that are a little long. " * 20
PARTS: dict[str, dict[str, Any]] = {
    "system": {"system": LONG},
    "system-blocks": {"system": [{"type": "text", "text": LONG}]},
    "tools": {"tools": [{"name": "f", "description": LONG, "input_schema": {"type": "object"}}]},
    "image": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ],
            }
        ]
    },
    "document": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": LONG}}],
            }
        ]
    },
    "thinking": {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": LONG, "signature": "x"}]},
        ]
    },
    "tool-result": {
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": LONG}]},
        ]
    },
}


@pytest.mark.parametrize("part", PARTS)
def test_the_estimate_counts_every_part(proxy: Proxy, part: str) -> None:
    client = proxy(FORWARD_COUNT_TO_UPSTREAM="false")
    bare = client.post(PATH, json={"model": "m", "messages": [{"role": "user", "content": "hi"}]}).json["input_tokens"]
    full = client.post(PATH, json={"model": "m", "messages": [{"role": "user", "content": "hi"}]} | PARTS[part]).json
    assert full["input_tokens"] > bare + (0 if part == "image" else 80)


FAILURES: dict[str, dict[str, Any]] = {
    "404": {"status": 404, "body": "404 page not found"},
    "405": {"status": 405},
    "501": {"status": 501},
    "500": {"status": 500, "json": {"type": "error", "error": {"type": "api_error", "message": "x"}}},
    "401": {"status": 401, "json": {"type": "error", "error": {"type": "authentication_error", "message": "x"}}},
    "400": {"status": 400, "json": {"type": "error", "error": {"type": "invalid_request_error", "message": "x"}}},
    "redirect": {"status": 307, "headers": {"location": "https://evil.test/"}},
    "html": {"status": 200, "body": "<html>"},
    "empty": {"status": 200, "body": ""},
    "array": {"status": 200, "json": []},
    "other": {"status": 200, "json": {"tokens": 3}},
    "text": {"status": 200, "json": {"input_tokens": "12"}},
    "true": {"status": 200, "json": {"input_tokens": True}},
    "zero": {"status": 200, "json": {"input_tokens": 0}},
    "negative": {"status": 200, "json": {"input_tokens": -5}},
    "error-200": {"status": 200, "json": {"type": "error", "error": {"type": "api_error", "message": "x"}}},
    "refused": {"body": requests.exceptions.ConnectionError("x")},
    "late": {"body": requests.exceptions.ReadTimeout("x")},
    "cut": {"body": requests.exceptions.ChunkedEncodingError("x")},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_upstream_is_stepped_in_for(proxy: Proxy, upstream: responses.RequestsMock, failure: str) -> None:
    upstream.post(COUNT, **FAILURES[failure])
    answer = proxy().post(PATH, json=REQUEST)
    assert answer.status_code == 200
    assert answer.json["proxy_estimate"] is True
    assert answer.json["input_tokens"] > 0
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    ("failure", "asked"),
    [("404", 1), ("405", 1), ("501", 1), ("refused", 1), ("late", 1), ("500", 3), ("401", 3), ("html", 3)],
)
def test_an_upstream_without_counting_is_not_asked_again(
    proxy: Proxy, upstream: responses.RequestsMock, failure: str, asked: int
) -> None:
    upstream.post(COUNT, **FAILURES[failure])
    client = proxy()
    for _ in range(3):
        assert client.post(PATH, json=REQUEST).status_code == 200
    assert len(upstream.calls) == asked
    other = proxy()
    other.post(PATH, json=REQUEST)
    assert len(upstream.calls) == asked + 1, "another application remembers for itself"


def test_after_a_while_it_is_asked_again(
    proxy: Proxy, upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.post(COUNT, status=404)
    client = proxy()
    client.post(PATH, json=REQUEST)
    now = time.monotonic()
    monkeypatch.setattr("app.exchanges.count.time.monotonic", lambda: now + 601)
    client.post(PATH, json=REQUEST)
    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"type": "not_found_error", "message": "model: no-such"}},
        {"error": {"message": "The model `no-such` does not exist.", "type": "NotFoundError", "code": 404}},
        {"error": {"code": "1211", "message": "模型不存在"}},
    ],
)
def test_an_unknown_model_is_not_a_missing_path(proxy: Proxy, upstream: responses.RequestsMock, error: Any) -> None:
    upstream.post(COUNT, json=error, status=404)
    client = proxy()
    for _ in range(2):
        assert client.post(PATH, json=REQUEST | {"model": "no-such"}).json["proxy_estimate"] is True
    assert len(upstream.calls) == 2


def test_a_slow_upstream_does_not_hold_the_client(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    timeouts = []

    def answer(request: Any) -> Any:
        timeouts.append(request.req_kwargs["timeout"])
        return 200, {}, '{"input_tokens": 3}'

    upstream.add_callback(responses.POST, COUNT, callback=answer)
    proxy(UPSTREAM_READ_TIMEOUT="300", UPSTREAM_CONNECT_TIMEOUT="10").post(PATH, json=REQUEST)
    proxy(UPSTREAM_FIRST_BYTE_TIMEOUT="2").post(PATH, json=REQUEST)
    assert timeouts == [(5.0, 5.0), (5.0, 2.0)]


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": 7}, {"messages": [None, [], {"content": {"a": [1]}}]}, {"tools": "x", "system": 7, "model": "m"}],
)
def test_odd_requests_are_counted_too(proxy: Proxy, body: dict[str, Any]) -> None:
    answer = proxy(FORWARD_COUNT_TO_UPSTREAM="false").post(PATH, json=body)
    assert (answer.status_code, answer.json["input_tokens"] >= 1) == (200, True)


def test_a_chat_request_is_counted_as_well(proxy: Proxy) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    body = {"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": [image]}]}
    answer = proxy(FORWARD_COUNT_TO_UPSTREAM="false", AUTOVISION_MODEL="v").post(PATH, json=body)
    assert answer.json["input_tokens"] > 80
    assert answer.headers["x-upstream-model"] == "v"


def test_counting_never_sends_a_message(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(COUNT, status=500)
    upstream.post(MESSAGES, json={})
    proxy().post(PATH, json=REQUEST | {"stream": True, "max_tokens": 5})
    assert [call.request.url for call in upstream.calls] == [COUNT]
