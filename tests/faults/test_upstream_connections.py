"""Refused connections, retries, and which request may be sent twice."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .answers import TEXT
from .awaiting import wait_until
from .conftest import start
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KIND_IDS, KINDS, MESSAGES, Client, ask, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS
from .test_upstream_faults import ask_all, error_of, text_of, unique


def test_an_upstream_that_refuses_connections_and_comes_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for server in start(UPSTREAM_BASE=f"http://127.0.0.1:{port}", UPSTREAM_CONNECT_TIMEOUT=1):
        for path, _, _, reply in ask_all(server, "good"):
            assert reply.status == 502
            assert reply.seconds < 1
            error_of(reply, path)
        with RawUpstream(SCRIPTS, port=port) as upstream:
            for path, stream, model, reply in ask_all(server, "good"):
                assert text_of(reply, path, stream) == TEXT
                assert len(upstream.calls_of(model)) == 1
        reply = ask(server.port, CHAT, unique("good"), False)
        assert reply.status == 502, "the upstream is gone again, and with it every pooled connection"

        model = unique("good")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, server.port, CHAT, model, False)
            time.sleep(0.05)
            with RawUpstream(SCRIPTS, port=port) as upstream:
                assert text_of(asked.result(), CHAT, False) == TEXT, (
                    "a refused connection carried nothing: it is tried again"
                )
                assert len(upstream.calls_of(model)) == 1


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_overload_is_tried_again_only_where_the_operator_asks(
    server: GunicornServer, patient_server: GunicornServer, upstream: RawUpstream, path: str, stream: bool
) -> None:
    model = unique("overloaded-once")
    assert ask(server.port, path, model, stream).status in (503, 529)
    assert len(upstream.calls_of(model)) == 1

    model = unique("overloaded-once")
    assert text_of(ask(patient_server.port, path, model, stream), path, stream) == TEXT
    assert len(upstream.calls_of(model)) == 2

    model = unique("overloaded")
    assert ask(patient_server.port, path, model, stream).status in (503, 529)
    assert len(upstream.calls_of(model)) == 3, "three times in all"

    model = unique("overloaded-long")
    reply = ask(patient_server.port, path, model, stream)
    assert reply.status in (503, 529)
    assert reply.headers["retry-after"] == "60", "that long is the client's to wait"
    assert len(upstream.calls_of(model)) == 1


def test_a_client_that_left_meanwhile_is_not_asked_for_again(
    patient_server: GunicornServer, upstream: RawUpstream
) -> None:
    model = unique("overloaded-in-a-second")
    with Client(patient_server.port) as client:
        client.send(request_bytes(MESSAGES, request_body(MESSAGES, model, False)))
        wait_until(lambda: len(upstream.calls_of(model)) == 1)
    time.sleep(1.5)
    assert len(upstream.calls_of(model)) == 1
