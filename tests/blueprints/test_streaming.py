"""Streams over werkzeug's development server, as under `flask run`: a thread for each request, and no gevent."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from werkzeug.serving import make_server

from app import create_app
from app.settings import Settings

from ..faults.answers import TEXT
from ..faults.raw_client import CHAT, KIND_IDS, KINDS, MESSAGES, Client, Reply, request_body, request_bytes
from ..faults.raw_upstream import RawUpstream
from ..faults.scripts import SCRIPTS


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    with RawUpstream(SCRIPTS) as raw:
        yield raw


@pytest.fixture(scope="module")
def port(upstream: RawUpstream) -> Iterator[int]:
    settings = {"UPSTREAM_BASE": f"http://127.0.0.1:{upstream.port}", "UPSTREAM_READ_TIMEOUT": "3"}
    app = create_app(Settings.from_env(settings | {"KEEPALIVE_INTERVAL": "0.5", "LOG_LEVEL": "critical"}))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers(port: int) -> None:
    def asked(case: tuple[str, tuple[str, bool]]) -> Reply:
        script, (path, stream) = case
        with Client(port) as client:
            return client.ask(path, script, stream)

    cases = list(product(["good", "late", "pausing"], KINDS))
    with ThreadPoolExecutor(len(cases)) as pool:
        for case, reply in zip(cases, pool.map(asked, cases), strict=True):
            script, (_, stream) = case
            assert reply.status == 200, case
            assert TEXT.encode() in reply.body, case
            if stream:
                assert reply.headers["x-accel-buffering"] == "no", case
                assert (b"keep-alive" in reply.body or b"ping" in reply.body) == (script != "good"), case


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("script", ["silence", "silence-mid-body"])
def test_a_client_that_leaves_frees_its_upstream(
    port: int, upstream: RawUpstream, script: str, path: str, stream: bool
) -> None:
    model = f"{script}#{path}{stream}"
    with Client(port) as client:
        client.send(request_bytes(path, request_body(path, model, stream)))
        call = upstream.call_of(model)
        time.sleep(0.1)
    assert call.left.wait(2)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_pieces_of_a_large_event(port: int, path: str) -> None:
    with Client(port) as client:
        reply = client.ask(path, "big-event", True)
    assert reply.whole
    assert reply.body.count(b"y" * 1_000_000) == 20
