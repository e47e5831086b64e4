"""A request that goes straight to its view is answered as Flask itself would have it answered."""

import gc
import json
import re
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import responses
from flask import Response
from werkzeug.test import TestResponse

from app import create_app
from app.current import InboundRequest
from app.dispatch import Service
from app.exchanges.chat import ChatExchange
from app.exchanges.messages import MessagesExchange
from app.settings import Settings
from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, MESSAGES_REQUEST, STREAM, UPSTREAM

CHAT, MESSAGE_PATH = "/v1/chat/completions", "/v1/messages"
JSON = {"content-type": "application/json", "x-request-id": "req-1"}
REQUESTS = {
    CHAT: json.dumps(CHAT_REQUEST).encode(),
    MESSAGE_PATH: json.dumps(MESSAGES_REQUEST).encode(),
}
_MADE_UP = re.compile(rb'"(id|created)":("[^"]*"|\d+)')


def answers_of(way: Service, path: str, body: bytes, headers: Mapping[str, str], **options: Any) -> TestResponse:
    return way.test_client().post(path, data=body, headers=headers, **options)


def told(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    return answer.status, sorted(answer.headers), _MADE_UP.sub(rb'"\1":0', answer.data)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Service, Service]]:
    """The same application twice: with its fast path open, and with Flask's own way only."""

    def both(**environ: str) -> tuple[Service, Service]:
        settings = Settings.from_env({"UPSTREAM_BASE": UPSTREAM, "THINKING_STORE": "memory"} | environ)
        direct = create_app(settings)
        with monkeypatch.context() as closed:
            closed.setattr(Service, "open_fast_path", lambda self, *views: None)
            plain = create_app(settings)
        return direct, plain

    return both


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The path of each request that went Flask's way."""
    seen: list[str] = []
    own = Service.request_context

    def request_context(self: Service, environ: dict[str, Any]) -> Any:
        seen.append(environ["PATH_INFO"])
        return own(self, environ)

    monkeypatch.setattr(Service, "request_context", request_context)
    return seen


Ways = Callable[..., tuple[Service, Service]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGE_PATH])
def test_answers_are_the_same(
    ways: Ways, upstream: responses.RequestsMock, contexts: list[str], path: str, stream: bool
) -> None:
    if stream:
        upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream")
    else:
        upstream.post(MESSAGES, json=MESSAGE)
    body = json.dumps(json.loads(REQUESTS[path]) | {"stream": stream}).encode()
    direct, plain = ways()
    first, second = (answers_of(way, path, body, JSON) for way in (direct, plain))
    assert told(first) == told(second)
    assert first.status_code == 200
    assert first.headers["x-request-id"] == "req-1"
    assert contexts == [path]


REFUSED = {
    "no body": (b"", JSON),
    "no object": (b"[]", JSON),
    "broken": (b'{"model":', JSON),
    "no model": (b"{}", JSON),
    "form": (b"a=b", {"content-type": "application/x-www-form-urlencoded", "x-request-id": "req-1"}),
    "too large": (b" " * 2000, JSON),
    "nested": (b'{"model":"m","messages":' + b"[" * 600 + b"]" * 600 + b"}", JSON),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGE_PATH])
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_the_same(ways: Ways, upstream: responses.RequestsMock, path: str, case: str) -> None:
    body, headers = REFUSED[case]
    upstream.post(MESSAGES, status=400, json={"type": "error", "error": {"type": "invalid_request_error"}})
    first, second = (answers_of(way, path, body, headers) for way in ways(MAX_BODY_BYTES="1500"))
    assert told(first) == told(second)
    assert 400 <= first.status_code < 500


@pytest.mark.parametrize("path", [CHAT, MESSAGE_PATH])
@pytest.mark.parametrize("status", [400, 401, 429])
def test_refusals_of_the_upstream_are_the_same(
    ways: Ways, upstream: responses.RequestsMock, path: str, status: int
) -> None:
    error = {"type": "error", "error": {"type": "some_error", "message": "No."}}
    upstream.post(MESSAGES, status=status, json=error, headers={"retry-after": "60"})
    first, second = (answers_of(way, path, REQUESTS[path], JSON) for way in ways())
    assert told(first) == told(second)
    assert first.status_code == status


@pytest.mark.parametrize("path", [CHAT, MESSAGE_PATH])
@pytest.mark.parametrize("failure", [RecursionError(), KeyError("a bug of ours")])
def test_failures_are_the_same(
    ways: Ways, upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, path: str, failure: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(ChatExchange, "completion", fail)
    monkeypatch.setattr(MessagesExchange, "message", fail)
    first, second = (answers_of(way, path, REQUESTS[path], JSON) for way in ways())
    assert told(first) == told(second)
    assert first.status_code == (400 if isinstance(failure, RecursionError) else 500)


@pytest.mark.parametrize("path", [CHAT, MESSAGE_PATH])
def test_a_request_needs_no_garbage_collector(
    ways: Ways, upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Its body may be large; a cycle would keep it until the collector's next full walk."""
    seen: list[weakref.ref[InboundRequest]] = []

    def asked(*args: Any, **options: Any) -> InboundRequest:
        request = InboundRequest(*args, **options)
        seen.append(weakref.ref(request))
        return request

    upstream.post(MESSAGES, json=MESSAGE)
    direct, _ = ways()
    monkeypatch.setattr("app.dispatch.InboundRequest", asked)
    gc.disable()
    try:
        assert answers_of(direct, path, REQUESTS[path], JSON).status_code == 200
        assert [request() for request in seen] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS"])
def test_other_methods_go_flasks_way(ways: Ways, contexts: list[str], method: str) -> None:
    answer = ways()[0].test_client().open(CHAT, method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert contexts == [CHAT]


def test_a_hook_is_passed_by_no_request(upstream: responses.RequestsMock, contexts: list[str]) -> None:
    upstream.post(MESSAGES, json=MESSAGE)
    app = create_app(Settings.from_env({"UPSTREAM_BASE": UPSTREAM, "CORS_ORIGINS": "https://page.example"}))
    answer = app.test_client().post(CHAT, json=CHAT_REQUEST, headers={"origin": "https://page.example"})
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert contexts == [CHAT]


@pytest.mark.parametrize(
    "hook",
    ["before_request", "after_request", "teardown_request", "teardown_appcontext", "url_value_preprocessor"],
)
def test_no_hook_of_flasks_is_passed_by(contexts: list[str], hook: str) -> None:
    called: list[str] = []
    app = Service("some")
    app.extensions |= create_app(Settings.from_env({"UPSTREAM_BASE": UPSTREAM})).extensions
    view = lambda: Response("text")  # noqa: E731
    app.get("/plain")(view)
    getattr(app, hook)(lambda *about: called.append(hook) or (about[0] if hook == "after_request" else None))
    app.open_fast_path(view)
    assert app.test_client().get("/plain").text == "text"
    assert (called, contexts) == ([hook], ["/plain"])


def test_a_path_with_arguments_goes_flasks_way(contexts: list[str]) -> None:
    app = Service("some")
    app.extensions |= create_app(Settings.from_env({"UPSTREAM_BASE": UPSTREAM})).extensions
    view = lambda **of: Response(of.get("name", "none"))  # noqa: E731
    app.get("/plain")(view)
    app.add_url_rule("/<name>/more", view_func=view, endpoint="<lambda>")
    app.open_fast_path(view)
    assert [app.test_client().get(path).text for path in ("/plain", "/x/more")] == ["none", "x"]
    assert contexts == ["/x/more"]
