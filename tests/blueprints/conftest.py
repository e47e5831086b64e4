"""The application with its upstream mocked by `responses`: no socket, no key, no server."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings

UPSTREAM = "https://upstream.test/api"
MESSAGES = f"{UPSTREAM}/v1/messages"
COUNT = f"{MESSAGES}/count_tokens"
MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "served-model",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 2},
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one pixel
CHAT_REQUEST: dict[str, Any] = {"model": "some-model", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGES_REQUEST: dict[str, Any] = CHAT_REQUEST | {"max_tokens": 64}

Proxy = Callable[..., FlaskClient]


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    """Answers in the upstream's place, and fails a request that nobody announced."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def proxy(upstream: responses.RequestsMock) -> Proxy:
    """`proxy(SERVER_API_KEY="k")` is a client of the application with these settings."""

    def client(**environ: str) -> FlaskClient:
        defaults = {"UPSTREAM_BASE": UPSTREAM, "THINKING_STORE": "memory"}
        return create_app(Settings.from_env(defaults | environ)).test_client()

    return client


@pytest.fixture
def answering(upstream: responses.RequestsMock) -> responses.RequestsMock:
    """An upstream that answers every message and counts every request."""
    upstream.post(MESSAGES, json=MESSAGE)
    upstream.post(COUNT, json={"input_tokens": 36})
    return upstream


def sent(upstream: responses.RequestsMock, index: int = -1) -> Any:
    """The body of a request that reached the upstream."""
    return json.loads(upstream.calls[index].request.body)


def sent_headers(upstream: responses.RequestsMock, index: int = -1) -> dict[str, str]:
    """Its headers, by lower-case name."""
    return {name.lower(): value for name, value in upstream.calls[index].request.headers.items()}


def events(*items: dict[str, Any]) -> bytes:
    """A stream as Anthropic writes it."""
    return b"".join(f"event: {item['type']}\ndata: {json.dumps(item)}\n\n".encode() for item in items)


STREAM = events(
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)
