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
from .raw_client import CHAT, KEY, MESSAGES, Client, ask, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS
from .test_upstream_faults import ask_all, checked_error, error_of, events_of, text_of, unique


def test_an_upstream_that_refuses_connections_and_comes_back() -> None:
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


def test_netrc_and_proxy_variables_change_nothing(
    upstream: RawUpstream, elsewhere: RawUpstream, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1\nlogin somebody\npassword else\n")
    (tmp_path / ".netrc").chmod(0o600)
    proxy = f"http://127.0.0.1:{elsewhere.port}"
    diverting = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), proxy)
    before = len(elsewhere.calls)
    for server in start(UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}", HOME=tmp_path, **diverting):
        for path, stream, model, reply in ask_all(server, "good"):
            assert text_of(reply, path, stream) == TEXT
            assert upstream.call_of(model).headers["authorization"] == f"Bearer {KEY}"
    assert len(elsewhere.calls) == before


@pytest.mark.parametrize("status", [429, 503, 529])
def test_overload_is_tried_again_only_where_the_operator_asks(
    server: GunicornServer, patient_server: GunicornServer, upstream: RawUpstream, status: int
) -> None:
    for _, _, model, reply in ask_all(server, f"{status}-once"):
        assert reply.status in (status, 503)
        assert len(upstream.calls_of(model)) == 1
    for path, stream, model, reply in ask_all(patient_server, f"{status}-once"):
        assert text_of(reply, path, stream) == TEXT
        assert len(upstream.calls_of(model)) == 2


@pytest.mark.parametrize(
    ("script", "requests"), [("overloaded", 3), ("overloaded-long", 1), ("refused-529", 1), ("500-once", 1)]
)
def test_trying_again_is_bounded(
    patient_server: GunicornServer, upstream: RawUpstream, script: str, requests: int
) -> None:
    """A long wait, or one that the upstream did not name, is the client's, and so is any other failure."""
    for _, _, model, reply in ask_all(patient_server, script):
        assert reply.status in (500, 503, 529)
        assert script != "overloaded-long" or reply.headers["retry-after"] == "60"
        assert len(upstream.calls_of(model)) == requests


def test_nothing_is_tried_again_once_the_client_was_kept_alive(
    patient_server: GunicornServer, upstream: RawUpstream
) -> None:
    models = {path: unique("late-overload") for path in (CHAT, MESSAGES)}
    with ThreadPoolExecutor(2) as pool:
        replies = pool.map(lambda path: ask(patient_server.port, path, models[path], True), models)
        for (path, model), reply in zip(models.items(), replies, strict=True):
            assert reply.status == 200
            checked_error(events_of(reply)[-1], path)
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
