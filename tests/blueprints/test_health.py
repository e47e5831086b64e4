"""Liveness, readiness and the probes of clients."""

import pytest
import requests
import responses

from tests.blueprints.conftest import UPSTREAM, Proxy

MODELS = f"{UPSTREAM}/v1/models"


@pytest.mark.parametrize("path", ["/", "/v1", "/health"])
def test_liveness_asks_nobody(proxy: Proxy, upstream: responses.RequestsMock, path: str) -> None:
    answer = proxy(PROXY_API_KEYS="pk-1", ALLOW_ANONYMOUS="false").get(path)
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert not upstream.calls


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_ready_when_the_upstream_answers_at_all(proxy: Proxy, upstream: responses.RequestsMock, status: int) -> None:
    upstream.get(MODELS, status=status)
    answer = proxy(SERVER_API_KEY="sk-server").get("/health/ready")
    assert (answer.status_code, answer.json) == (200, {"status": "ready"})
    headers = upstream.calls[0].request.headers
    assert "authorization" not in headers
    assert "x-api-key" not in headers


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout])
def test_not_ready_when_it_does_not(
    proxy: Proxy, upstream: responses.RequestsMock, error: type[requests.exceptions.RequestException]
) -> None:
    upstream.get(MODELS, body=error("http://10.0.0.1:80/ is down"))
    answer = proxy().get("/health/ready")
    assert (answer.status_code, answer.json) == (503, {"status": "upstream unreachable"})


def test_readiness_is_asked_for_rarely_and_briefly(
    proxy: Proxy, upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.get(MODELS)
    client = proxy(UPSTREAM_READ_TIMEOUT="300")
    for _ in range(3):
        assert client.get("/health/ready").status_code == 200
    assert len(upstream.calls) == 1
    assert max(upstream.calls[0].request.req_kwargs["timeout"]) <= 5
    monkeypatch.setattr("app.blueprints.health._VALID_SECONDS", -1.0)
    client.get("/health/ready")
    assert len(upstream.calls) == 2


def test_the_sandbox_is_always_ready(proxy: Proxy) -> None:
    assert proxy(UPSTREAM_BASE="sandbox:").get("/health/ready").status_code == 200
