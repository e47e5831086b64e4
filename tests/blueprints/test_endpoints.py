"""Paths, methods and bodies: what is served where, and how everything else is refused."""

import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGES_REQUEST, Proxy

PREFIXES = ("", "/v1", "/v1/v1", "//v1", "/v1/")
POSTS = {
    "/chat/completions": CHAT_REQUEST,
    "/messages": MESSAGES_REQUEST,
    "/messages/count_tokens": CHAT_REQUEST,
}


def is_openai_error(body: Any) -> bool:
    return set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}


def is_anthropic_error(body: Any) -> bool:
    return body["type"] == "error" and set(body["error"]) == {"type", "message"} and bool(body["request_id"])


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", POSTS)
def test_base_urls_with_and_without_v1(proxy: Proxy, answering: responses.RequestsMock, prefix: str, path: str) -> None:
    client = proxy()
    for url in (f"{prefix}{path}", f"{prefix}{path}?beta=true&x=%2F", f"{prefix}{path}/"):
        answer = client.post(url, json=POSTS[path])
        assert answer.status_code == 200, url
        assert "redirect" not in answer.text.lower()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_models_with_and_without_v1(proxy: Proxy, prefix: str) -> None:
    client = proxy()
    assert client.get(f"{prefix}/models?limit=5").json["object"] == "list"
    assert client.get(f"{prefix}/models/glm-4.5").json["id"] == "glm-4.5"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/health", "/v1/models", "/v1/models/glm-4.5"])
def test_head_answers_like_get_without_a_body(proxy: Proxy, path: str) -> None:
    answer = proxy().head(path)
    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    ("path", "headers", "anthropic"),
    [
        ("/nope", {}, False),
        ("/nope", {"anthropic-version": "2023-06-01"}, True),
        ("/nope", {"x-api-key": "k"}, True),
        ("/v1/embeddings", {"x-api-key": "k"}, False),
        ("/v1/chat/completions/x", {}, False),
        ("/v1/messages/batches", {}, True),
        ("/v1/v1/messages/batches", {}, True),
        ("/v1/models/a/messages", {}, False),
        ("/v1/%0d%0aset-cookie:x", {}, False),
        ("/" + "a/" * 500, {}, False),
    ],
)
def test_unknown_paths_are_json_errors_of_their_api(
    proxy: Proxy, path: str, headers: dict[str, str], anthropic: bool
) -> None:
    answer = proxy().get(path, headers=headers)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"
    assert is_anthropic_error(answer.json) if anthropic else is_openai_error(answer.json)
    if anthropic:
        assert answer.json["error"]["type"] == "not_found_error"


def test_a_client_of_another_api_is_shown_the_way(proxy: Proxy) -> None:
    answer = proxy().post("/v1/responses", json={"model": "m", "input": "hi"})
    assert "/v1/chat/completions" in answer.json["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"])
def test_other_methods_are_told_which_one_is_right(proxy: Proxy, method: str, path: str) -> None:
    answer = proxy().open(path, method=method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.mimetype == "application/json"
    if method != "HEAD":
        check = is_openai_error if "chat" in path else is_anthropic_error
        assert check(answer.json)


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/health", "/v1/models"])
def test_methods_of_what_is_only_read(proxy: Proxy, method: str, path: str) -> None:
    answer = proxy().open(path, method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert is_openai_error(answer.json)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"   ", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"model": NaN}', "application/json", 400),
        (b'{"model": "a", "model": "b"}', "application/json", 400),
        (b'{"model": "\xff"}', "application/json", 400),
        (b'{"model": "\\ud800"}', "application/json", 400),
        (b'{"model": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", 400),
        (b'{"model": 7, "messages": []}', "application/json", 400),
        (b'{"model": ["a"], "messages": []}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{}", "multipart/form-data; boundary=x", 415),
        (b'{"model": "%s"}' % (b"a" * 3000), "application/json", 413),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bodies_that_cannot_be_served(proxy: Proxy, path: str, body: bytes, content_type: str, status: int) -> None:
    client = proxy(MAX_BODY_BYTES="2048") if status == 413 else proxy()
    answer = client.post(path, data=body, content_type=content_type)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    assert is_openai_error(answer.json) if "chat" in path else is_anthropic_error(answer.json)


def test_the_type_that_anthropic_gives_a_body_too_large(proxy: Proxy) -> None:
    client = proxy(MAX_BODY_BYTES="1024")
    body = json.dumps({"model": "m" * 2000}).encode()
    answer = client.post("/v1/messages", data=body, content_type="application/json")
    assert answer.json["error"]["type"] == "request_too_large"
    answer = client.post("/v1/chat/completions", data=body, content_type="application/json")
    assert answer.json["error"]["code"] == "request_too_large"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"])
def test_json_by_its_other_names(proxy: Proxy, answering: responses.RequestsMock, content_type: str) -> None:
    answer = proxy().post("/v1/messages", data=json.dumps(MESSAGES_REQUEST), content_type=content_type)
    assert answer.status_code == 200


def test_a_wrong_model_is_named_by_its_path(proxy: Proxy) -> None:
    assert proxy().post("/v1/chat/completions", json={"model": 7}).json["error"]["param"] == "model"
    answer = proxy().post("/v1/messages", json={"model": 7})
    assert answer.json["error"]["message"].startswith("model: ")


@pytest.mark.parametrize("odd", [{"type": []}, {"type": {}}, {"content": {"type": ["image"]}}, {"source": 1}, 7, None])
def test_odd_parts_do_not_break_the_search_for_images(
    proxy: Proxy, answering: responses.RequestsMock, odd: Any
) -> None:
    body = {"messages": [{"role": "user", "content": [odd]}, odd], "max_tokens": 1}
    assert proxy().post("/v1/messages", json=body).status_code == 200
    assert proxy().post("/v1/chat/completions", json=body).status_code == 400


def test_request_ids(proxy: Proxy, answering: responses.RequestsMock) -> None:
    client = proxy()
    answer = client.post("/v1/messages", json=MESSAGES_REQUEST, headers={"x-request-id": "my-id.1"})
    assert answer.headers["x-request-id"] == "my-id.1"
    assert answering.calls[-1].request.headers["x-request-id"] == "my-id.1"
    for hostile in ("a b", "x" * 200, 'quo"te', "ü"):
        made = client.post("/v1/messages", json=MESSAGES_REQUEST, headers={"x-request-id": hostile})
        assert made.headers["x-request-id"] not in ("", hostile)
    refused = client.post("/v1/messages", json={"model": 7}, headers={"x-request-id": "abc"})
    assert refused.json["request_id"] == refused.headers["request-id"] == "abc"
