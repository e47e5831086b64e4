"""A count over sockets: an upstream that does not answer holds nobody for long."""

import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from app import create_app
from app.settings import Settings

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "How many?"}]}


class Silent(socketserver.ThreadingTCPServer):
    """Takes a request and never answers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listening)
        self.asked = 0
        self.over = threading.Event()


class _Listening(socketserver.BaseRequestHandler):
    server: Silent

    def handle(self) -> None:
        self.server.asked += 1
        self.server.over.wait(20)


@pytest.fixture
def silent() -> Iterator[Silent]:
    with Silent() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def test_a_silent_upstream_is_waited_for_once_and_briefly(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.blueprints.count_tokens._PATIENCE_SECONDS", 0.3)
    base = f"http://127.0.0.1:{silent.server_address[1]}"
    client = create_app(Settings.from_env({"UPSTREAM_BASE": base, "THINKING_STORE": "off"})).test_client()
    began = time.monotonic()
    for _ in range(3):
        answer = client.post("/v1/messages/count_tokens", json=REQUEST)
        assert (answer.status_code, answer.json["proxy_estimate"]) == (200, True)
    assert 0.2 < time.monotonic() - began < 2
    assert silent.asked == 1
