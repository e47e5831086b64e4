"""Refused connections, TLS, retries, and which request may be sent twice."""

import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .answers import TEXT
from .awaiting import wait_until
from .certificates import Authority
from .conftest import CONNECT_TIMEOUT, start
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KIND_IDS, KINDS, MESSAGES, Client, ask, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS
from .test_upstream_faults import SLACK, ask_all, error_of, text_of, unique

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command makes the certificates")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_upstream(authority: Authority) -> Iterator[RawUpstream]:
    with RawUpstream(SCRIPTS, authority.server_context("localhost")) as raw:
        yield raw


@pytest.fixture(scope="module")
def tls_server(authority: Authority, tls_upstream: RawUpstream) -> Iterator[GunicornServer]:
    yield from start(
        UPSTREAM_BASE=f"https://localhost:{tls_upstream.port}",
        UPSTREAM_CA_FILE=authority.ca_file,
        UPSTREAM_CONNECT_TIMEOUT=CONNECT_TIMEOUT,
        UPSTREAM_READ_TIMEOUT=2,
    )


@needs_openssl
def test_tls_with_an_authority_of_ones_own(tls_server: GunicornServer, tls_upstream: RawUpstream) -> None:
    for _ in range(3):
        for path, stream, _, reply in ask_all(tls_server, "good"):
            assert text_of(reply, path, stream) == TEXT
    assert tls_upstream.accepted <= len(KINDS), "connections are kept and used again"


@needs_openssl
def test_tls_cut_in_mid_body(tls_server: GunicornServer) -> None:
    for path, stream, _, reply in ask_all(tls_server, "close-mid-body"):
        assert stream or reply.status == 502
        assert b"[DONE]" not in reply.body
        assert b"message_stop" not in reply.body
        assert path


@needs_openssl
def test_a_certificate_for_another_name_is_refused(
    tls_server: GunicornServer, tls_upstream: RawUpstream, authority: Authority
) -> None:
    good, tls_upstream.tls = tls_upstream.tls, authority.server_context("another.example")
    tls_upstream.close_connections()
    before = len(tls_upstream.calls)
    try:
        for path, _, _, reply in ask_all(tls_server, "good"):
            assert reply.status == 502
            assert "TLS" in error_of(reply, path)["message"]
    finally:
        tls_upstream.tls = good
    assert len(tls_upstream.calls) == before, "neither key nor prompt went there"
    for path, stream, _, reply in ask_all(tls_server, "good"):
        assert text_of(reply, path, stream) == TEXT


@needs_openssl
def test_a_handshake_that_stalls_ends_in_time(tls_server: GunicornServer, tls_upstream: RawUpstream) -> None:
    tls_upstream.stalls = True
    tls_upstream.close_connections()
    try:
        for path, _, _, reply in ask_all(tls_server, "good"):
            assert reply.status == 504
            assert reply.seconds < CONNECT_TIMEOUT + SLACK
            error_of(reply, path)
    finally:
        tls_upstream.stalls = False
    for path, stream, _, reply in ask_all(tls_server, "good"):
        assert text_of(reply, path, stream) == TEXT


@needs_openssl
def test_a_wrong_authority_is_refused(tls_upstream: RawUpstream) -> None:
    servers = start(UPSTREAM_BASE=f"https://localhost:{tls_upstream.port}")
    for server in servers:
        for path, _, _, reply in ask_all(server, "good"):
            assert reply.status == 502
            error_of(reply, path)


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
