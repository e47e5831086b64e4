"""Cross-origin requests: refused by default, allowed to listed origins."""

import pytest
import responses

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGES, STREAM, Proxy

PAGE = "https://app.example.com"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, anthropic-version",
}
PATH = "/v1/chat/completions"


def marks(headers: object) -> set[str]:
    return {name.lower() for name, _ in headers if name.lower().startswith("access-control-")}  # type: ignore[attr-defined]


def test_off_by_default(proxy: Proxy, answering: responses.RequestsMock) -> None:
    client = proxy()
    assert client.options(PATH, headers=PREFLIGHT).status_code == 405
    for answer in (client.options(PATH, headers=PREFLIGHT), client.post(PATH, json=CHAT_REQUEST, headers=PREFLIGHT)):
        assert not marks(answer.headers)
        assert "vary" not in answer.headers


@pytest.mark.parametrize("path", [PATH, "/v1/messages", "/v1/models", "/nope"])
@pytest.mark.parametrize("origins", [PAGE, f"http://other.example, {PAGE}/", "HTTPS://APP.example.com"])
def test_preflight_of_a_listed_origin(proxy: Proxy, path: str, origins: str) -> None:
    client = proxy(CORS_ORIGINS=origins, PROXY_API_KEYS="pk-1", ALLOW_ANONYMOUS="false")
    answer = client.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example", "http://app.example.com"])
def test_preflight_of_another_origin(proxy: Proxy, origin: str) -> None:
    answer = proxy(CORS_ORIGINS=PAGE).options(PATH, headers=PREFLIGHT | {"origin": origin})
    assert answer.status_code == 405
    assert not marks(answer.headers)
    assert answer.headers["vary"] == "origin"


def test_any_origin(proxy: Proxy) -> None:
    answer = proxy(CORS_ORIGINS="*").options(PATH, headers=PREFLIGHT | {"origin": "app://obsidian.md"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"


def test_odd_header_names_are_not_echoed(proxy: Proxy) -> None:
    headers = PREFLIGHT | {"access-control-request-headers": "x, <script>"}
    answer = proxy(CORS_ORIGINS=PAGE).options(PATH, headers=headers)
    assert "access-control-allow-headers" not in answer.headers


def test_options_that_is_no_preflight(proxy: Proxy) -> None:
    assert proxy(CORS_ORIGINS=PAGE).options(PATH, headers={"origin": PAGE}).status_code == 405


def test_answers_streams_and_errors_are_marked(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    client = proxy(CORS_ORIGINS=PAGE)
    upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream")
    answers = [
        client.post(PATH, json=CHAT_REQUEST, headers={"origin": PAGE}),
        client.post(PATH, json=CHAT_REQUEST | {"stream": True}, headers={"origin": PAGE}),
        client.post(PATH, json={}, headers={"origin": PAGE}),
        client.get("/nope", headers={"origin": PAGE}),
        client.post(PATH, data="x", content_type="text/plain", headers={"origin": PAGE}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 404, 415]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-expose-headers"] == "*"
        assert answer.headers["vary"] == "origin"
    other = client.post(PATH, json=CHAT_REQUEST)
    assert not marks(other.headers)
    assert other.headers["vary"] == "origin"


def test_a_page_cannot_avoid_the_preflight(proxy: Proxy) -> None:
    """Bodies without a type, or with one that needs no preflight, are refused."""
    client = proxy()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        answer = client.post(PATH, data=b"{}", content_type=content_type, headers={"origin": "https://evil.example"})
        assert answer.status_code == 415
