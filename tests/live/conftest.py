"""The service as a user runs it, two gevent workers in front of the strict fake upstream, and the real SDKs."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.fake_upstream import FakeUpstream
from tests.faults.gunicorn_server import GunicornServer

KEY = "sk-ant-api03-secret-of-the-client"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PREFIXES = ("", "/v1")


class Service:
    """A running proxy. `url` is the base URL without `/v1`."""

    def __init__(self, server: GunicornServer) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.port}"

    def openai(self, prefix: str = "/v1", key: str = KEY) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url + prefix, api_key=key, max_retries=0, timeout=30)

    def anthropic(self, prefix: str = "", key: str = KEY) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.url + prefix, api_key=key, max_retries=0, timeout=30)

    def log(self) -> str:
        return self._server.log()

    def request_lines(self) -> list[dict[str, Any]]:
        """The request log, parsed."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == "request"]


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


@pytest.fixture(scope="session")
def service(upstream: FakeUpstream) -> Iterator[Service]:
    """In front of the strict fake upstream."""
    environ = {"MODEL_MAP_JSON": '{"gpt-4o": "claude-sonnet-4-5"}', "LOG_FORMAT": "json", "WORKERS": 2}
    with GunicornServer(UPSTREAM_BASE=upstream.base_url, **environ) as server:
        running = Service(server)
        yield running
        assert "Traceback" not in running.log(), running.log()
        assert KEY not in running.log()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Service]:
    """In front of the sandbox, without any key."""
    with GunicornServer(UPSTREAM_BASE="sandbox:", WORKERS=2) as server:
        running = Service(server)
        yield running
        assert "Traceback" not in running.log(), running.log()


@pytest.fixture(params=PREFIXES)
def chat(request: pytest.FixtureRequest, service: Service) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, by a base URL with and without `/v1`."""
    with service.openai(request.param) as client:
        yield client


@pytest.fixture(params=PREFIXES)
def claude(request: pytest.FixtureRequest, service: Service) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK, by a base URL with and without `/v1`."""
    with service.anthropic(request.param) as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_was_refused(upstream: FakeUpstream) -> Iterator[None]:
    """Whatever is translated or passed through is legal at the strict upstream."""
    before = len(upstream.refusals)
    yield
    assert [found for found in upstream.refusals[before:] if found.status == 400] == []
