"""Keys: which go upstream, who may use the server's, and that none is ever shown."""

import itertools
import json
from typing import Any

import pytest
import responses

from app.metrics.metrics import NoMetrics
from app.profiles.lessons import Lessons
from app.services import Caller, Services
from app.settings import Settings
from app.thinking.store import store_for
from app.transport.patience import Client
from app.upstream import Upstream
from tests.blueprints.conftest import (
    CHAT_REQUEST,
    COUNT,
    MESSAGE,
    MESSAGES,
    MESSAGES_REQUEST,
    Proxy,
    events,
    sent_headers,
)

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens")
KEY_HEADERS = ("authorization", "x-api-key", "api-key", "proxy-authorization", "cookie")
SERVER = {"x-api-key": "sk-server", "authorization": "Bearer sk-server"}

CLIENTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    # what the client sends -> what goes upstream when client keys are forwarded ({}: it has no key)
    "bearer": ({"authorization": "Bearer sk-client"}, {"authorization": "Bearer sk-client"}),
    "bearer-lower-case": ({"authorization": "bearer  sk-client "}, {"authorization": "Bearer sk-client"}),
    "x-api-key": ({"x-api-key": "sk-client"}, {"x-api-key": "sk-client"}),
    "azure": ({"api-key": "sk-client"}, {"x-api-key": "sk-client"}),
    "junk": ({"authorization": "Bearer junk"}, {"authorization": "Bearer junk"}),
    "none": ({}, {}),
    "empty-bearer": ({"authorization": "Bearer "}, {}),
    "empty": ({"authorization": "", "x-api-key": " "}, {}),
    "basic": ({"authorization": "Basic c2s6c2s="}, {}),
    "bare": ({"authorization": "sk-client"}, {"authorization": "Bearer sk-client"}),
}


def post(client: Any, path: str, headers: dict[str, str] | None = None, address: str = "127.0.0.1") -> Any:
    body = CHAT_REQUEST if "chat" in path else MESSAGES_REQUEST
    return client.post(path, json=body, headers=headers, environ_base={"REMOTE_ADDR": address})


def keys_sent(upstream: responses.RequestsMock) -> dict[str, str]:
    return {name: value for name, value in sent_headers(upstream).items() if name in KEY_HEADERS}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("server_key", "forward"), [*itertools.product(("", "sk-server"), ("true", "false"))])
def test_which_key_goes_upstream(
    proxy: Proxy, answering: responses.RequestsMock, path: str, client: str, server_key: str, forward: str
) -> None:
    given, forwarded = CLIENTS[client]
    answer = post(proxy(SERVER_API_KEY=server_key, FORWARD_CLIENT_KEY=forward), path, given)
    assert answer.status_code == 200
    own = forwarded if forward == "true" else {}
    assert keys_sent(answering) == (own or (SERVER if server_key else {}))


@pytest.mark.parametrize(
    ("path", "name"), [(PATHS[0], "authorization"), (PATHS[1], "x-api-key"), (PATHS[2], "x-api-key")]
)
def test_of_two_keys_the_apis_own_counts(proxy: Proxy, answering: responses.RequestsMock, path: str, name: str) -> None:
    given = {"authorization": "Bearer sk-bearer", "x-api-key": "sk-header", "api-key": "sk-azure"}
    post(proxy(SERVER_API_KEY="sk-server"), path, given)
    assert keys_sent(answering) == {name: given[name]}


@pytest.mark.parametrize("path", PATHS)
def test_a_refused_client_key_is_not_replaced_by_the_servers(
    proxy: Proxy, upstream: responses.RequestsMock, path: str
) -> None:
    error = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    upstream.post(MESSAGES, json=error, status=401)
    upstream.post(COUNT, json=error, status=401)
    answer = post(proxy(SERVER_API_KEY="sk-server"), path, {"x-api-key": "junk"})
    assert answer.status_code == (200 if "count" in path else 401)
    assert len(upstream.calls) == 1
    assert keys_sent(upstream) == {"x-api-key": "junk"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("given", "admitted"),
    [
        ({"authorization": "Bearer pk-1"}, True),
        ({"x-api-key": "pk-2"}, True),
        ({"api-key": "pk-1"}, True),
        ({"x-api-key": "sk-other", "authorization": "Bearer pk-1"}, True),
        ({"x-api-key": "pk-1 "}, True),
        ({"x-api-key": "pk-"}, False),
        ({"x-api-key": "pk-1,pk-2"}, False),
        ({"x-api-key": "pk-é"}, False),
        ({"authorization": "Basic pk-1"}, False),
        ({"x-api-key": ""}, False),
        ({}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize(("server_key", "anonymous"), [("sk-server", "true"), ("sk-server", "false"), ("", "private")])
def test_keys_of_the_proxys_own(
    proxy: Proxy,
    answering: responses.RequestsMock,
    path: str,
    given: dict[str, str],
    admitted: bool,
    server_key: str,
    anonymous: str,
) -> None:
    client = proxy(PROXY_API_KEYS="pk-1, pk-2", SERVER_API_KEY=server_key, ALLOW_ANONYMOUS=anonymous)
    answer = post(client, path, given)
    if admitted:
        assert answer.status_code == 200
        assert keys_sent(answering) == (SERVER if server_key else {})
    else:
        assert answer.status_code == 401
        assert "PROXY_API_KEYS" in answer.text
        assert not answering.calls


def test_models_are_behind_the_proxys_key_and_probes_are_not(proxy: Proxy) -> None:
    client = proxy(PROXY_API_KEYS="pk-1")
    for path in ("/v1/models", "/v1/models/glm-4.5"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer pk-1"}).status_code == 200
    for path in ("/", "/health"):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200


STRANGERS = ("8.8.8.8", "203.0.113.7", "198.51.100.1", "100.64.0.1", "2001:4860:4860::8888", "0.0.0.0", "", "unix")
NEIGHBOURS = ("127.0.0.1", "::1", "10.1.2.3", "172.17.0.1", "192.168.1.9", "169.254.1.1", "fd00::1", "::ffff:10.0.0.1")


@pytest.mark.parametrize("anonymous", ["private", "true", "false"])
@pytest.mark.parametrize("address", STRANGERS + NEIGHBOURS)
@pytest.mark.parametrize("given", [{}, {"authorization": "Basic x"}])
def test_anonymous_use_of_the_servers_key(
    proxy: Proxy, answering: responses.RequestsMock, anonymous: str, address: str, given: dict[str, str]
) -> None:
    client = proxy(SERVER_API_KEY="sk-server", ALLOW_ANONYMOUS=anonymous)
    admitted = anonymous == "true" or (anonymous == "private" and address in NEIGHBOURS)
    for path in PATHS:
        answer = post(client, path, given, address)
        assert answer.status_code == (200 if admitted else 401)
        if not admitted:
            assert "ALLOW_ANONYMOUS" in answer.text
            assert "Authorization: Bearer" in answer.text
    assert bool(answering.calls) == admitted


def test_a_junk_key_that_is_not_forwarded_is_anonymous(proxy: Proxy, answering: responses.RequestsMock) -> None:
    client = proxy(SERVER_API_KEY="sk-server", FORWARD_CLIENT_KEY="false")
    assert post(client, PATHS[0], {"authorization": "Bearer junk"}, "8.8.8.8").status_code == 401
    assert post(client, PATHS[0], {"authorization": "Bearer junk"}, "10.0.0.1").status_code == 200
    assert keys_sent(answering) == SERVER


def test_without_a_server_key_there_is_nothing_to_guard(proxy: Proxy, answering: responses.RequestsMock) -> None:
    assert post(proxy(ALLOW_ANONYMOUS="false"), PATHS[0], {}, "8.8.8.8").status_code == 200
    assert keys_sent(answering) == {}


def test_a_strangers_own_key_is_forwarded(proxy: Proxy, answering: responses.RequestsMock) -> None:
    client = proxy(SERVER_API_KEY="sk-server", ALLOW_ANONYMOUS="false")
    assert post(client, PATHS[1], {"x-api-key": "sk-client"}, "8.8.8.8").status_code == 200
    assert keys_sent(answering) == {"x-api-key": "sk-client"}


def test_unauthorized_in_each_apis_shape(proxy: Proxy) -> None:
    client = proxy(SERVER_API_KEY="sk-server", ALLOW_ANONYMOUS="false")
    error = post(client, PATHS[0]).json["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert post(client, PATHS[1]).json["error"]["type"] == "authentication_error"


def test_the_key_is_asked_for_before_the_body_is_read(proxy: Proxy) -> None:
    client = proxy(SERVER_API_KEY="sk-server", ALLOW_ANONYMOUS="false")
    answer = client.post(PATHS[0], data=b"{" * 100, content_type="application/json")
    assert answer.status_code == 401


QUOTED = "Incorrect API key provided: sk-secret-key-of-the-server. See https://x/?key=sk-secret-key-of-the-server"


@pytest.mark.parametrize("path", PATHS[:2])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("shape", ["anthropic", "openai", "text", "html", "status-200"])
@pytest.mark.parametrize("whose", ["server", "client"])
def test_a_key_that_the_upstream_quotes_is_not_shown(
    proxy: Proxy,
    upstream: responses.RequestsMock,
    caplog: pytest.LogCaptureFixture,
    path: str,
    stream: bool,
    shape: str,
    whose: str,
) -> None:
    shapes = {
        "anthropic": json.dumps({"type": "error", "error": {"type": "authentication_error", "message": QUOTED}}),
        "openai": json.dumps({"error": {"message": QUOTED, "type": "invalid_request_error", "code": "x"}}),
        "text": QUOTED,
        "html": f"<html><b>{QUOTED}</b></html>",
        "status-200": json.dumps({"error": {"code": "1000", "message": QUOTED}}),
    }
    upstream.post(
        MESSAGES,
        body=shapes[shape],
        status=200 if shape == "status-200" else 401,
        headers={"anthropic-of-tomorrow": "sk-secret-key-of-the-server", "request-id": "sk-secret-key-of-the-server"},
        content_type="application/json",
    )
    given = {"authorization": "Bearer sk-secret-key-of-the-server"} if whose == "client" else {}
    client = proxy(SERVER_API_KEY="sk-secret-key-of-the-server" if whose == "server" else "")
    body = (CHAT_REQUEST if "chat" in path else MESSAGES_REQUEST) | {"stream": stream}
    answer = client.post(path, json=body, headers=given)
    assert answer.status_code == 401
    assert "[redacted]" in answer.text
    assert "sk-secret" not in answer.text + str(answer.headers) + caplog.text


@pytest.mark.parametrize("path", PATHS[:2])
def test_nor_in_the_middle_of_a_stream(proxy: Proxy, upstream: responses.RequestsMock, path: str) -> None:
    stream = events(
        {"type": "message_start", "message": {"content": [], "usage": {}}},
        {"type": "error", "error": {"type": "authentication_error", "message": QUOTED}},
    )
    upstream.post(MESSAGES, body=stream, content_type="text/event-stream")
    body = (CHAT_REQUEST if "chat" in path else MESSAGES_REQUEST) | {"stream": True}
    answer = proxy(SERVER_API_KEY="sk-secret-key-of-the-server").post(path, json=body)
    assert "Incorrect API key provided: [redacted]" in answer.text
    assert "sk-secret" not in answer.text
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("whose", ["server", "client"])
def test_nor_in_a_header_of_an_answer(
    proxy: Proxy, upstream: responses.RequestsMock, path: str, stream: bool, whose: str
) -> None:
    key = "sk-secret-key-of-the-server"
    quoting = {
        "request-id": key,
        "x-log-id": f"id-{key}",
        "anthropic-organization-id": f"Bearer {key}",
        "openai-organization": key,
        "x-ratelimit-limit-requests": key,
        "anthropic-ratelimit-requests-limit": key,
        "anthropic-ratelimit-tokens-reset": key,
    }
    upstream.post(MESSAGES, json=MESSAGE, headers=quoting)
    upstream.post(COUNT, json={"input_tokens": 36}, headers=quoting)
    body = (CHAT_REQUEST if "chat" in path else MESSAGES_REQUEST) | {"stream": stream}
    given = {"x-api-key": key} if whose == "client" else {}
    answer = proxy(SERVER_API_KEY=key if whose == "server" else "").post(path, json=body, headers=given)
    assert answer.status_code == 200
    assert "[redacted]" in str(answer.headers)
    assert "sk-secret" not in str(answer.headers)


def test_no_object_shows_a_key_when_it_is_printed() -> None:
    """A traceback's message, a debugger or a log line may print any of them."""
    settings = Settings.from_env({"SERVER_API_KEY": "sk-secret", "PROXY_API_KEYS": "pk-secret"})
    headers = {"authorization": "Bearer sk-secret"}
    caller = Caller(headers, headers, Client(None), "id", "sk-secret")
    upstream = Upstream(settings)
    services = Services(settings, upstream, Lessons(), store_for("redis://:secret@redis"), NoMetrics())
    assert "secret" not in repr([caller, settings, upstream, services])
