"""Upstreams behind TLS: certificates, handshakes, connections that are kept, and every way a TLS session can end."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .answers import MEGABYTE, TEXT
from .certificates import Authority, needs_openssl
from .conftest import CONNECT_TIMEOUT, READ_TIMEOUT, start
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KINDS, ask, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import (
    SLACK,
    ask_all,
    assert_serves,
    checked_error,
    error_of,
    events_of,
    script_of,
    text_of,
    unique,
)

pytestmark = needs_openssl


def test_tls_with_an_authority_of_ones_own(tls_server: GunicornServer, tls_upstream: RawUpstream) -> None:
    before = tls_upstream.accepted
    for _ in range(3):
        for path, stream, _, reply in ask_all(tls_server, "good"):
            assert text_of(reply, path, stream) == TEXT
    assert tls_upstream.accepted <= before + len(KINDS), "connections are kept and used again"


FAULTS = {
    "close-mid-body": 502,
    "goodbye-mid-body": 502,
    "reset-mid-body": 502,
    "silence-mid-body": 504,
    "reset-before-head": 502,
    "silence": 504,
    "garbage": 502,
}


def test_a_fault_inside_tls(tls_server: GunicornServer, tls_upstream: RawUpstream) -> None:
    for path, stream, model, reply in ask_all(tls_server, *FAULTS):
        if stream and reply.status == 200:
            checked_error(events_of(reply)[-1], path)
        else:
            assert reply.status == FAULTS[script_of(model)], model
            error_of(reply, path)
        assert b"[DONE]" not in reply.body
        assert b"message_stop" not in reply.body
        assert reply.seconds < READ_TIMEOUT + SLACK, model
        assert len(tls_upstream.calls_of(model)) == 1
    for path, stream in KINDS:
        assert_serves(tls_server, path, stream)


@pytest.mark.parametrize(
    "oddity",
    ["until-close", "until-goodbye", "close-after", "byte-by-byte", "late-last-chunk", "leftover", "late-leftover"],
)
def test_an_odd_but_whole_answer_inside_tls(tls_server: GunicornServer, tls_upstream: RawUpstream, oddity: str) -> None:
    """The end of a session with and without close_notify, and bytes behind an answer, read already or still to come."""
    for path, stream in KINDS:
        assert text_of(ask(tls_server.port, path, unique(oddity), stream), path, stream) == TEXT
        time.sleep(0.15 if oddity == "late-leftover" else 0)
        model = unique("good")
        assert text_of(ask(tls_server.port, path, model, stream), path, stream) == TEXT
        assert len(tls_upstream.calls_of(model)) == 1


def test_a_large_answer_inside_tls(tls_server: GunicornServer) -> None:
    """What TLS holds decrypted does not make the socket readable."""
    for path, stream, _, reply in ask_all(tls_server, "big-event"):
        assert text_of(reply, path, stream) == "y" * 20 * MEGABYTE


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


def test_an_upstream_that_stops_reading_holds_up_nobody_else(
    tls_server: GunicornServer, tls_upstream: RawUpstream
) -> None:
    tls_upstream.close_connections()
    tls_upstream.deaf = True
    try:
        with ThreadPoolExecutor(1) as others:
            talk = [{"role": "user", "content": "x" * 12 * MEGABYTE}]
            body = request_body(CHAT, unique("good"), False, messages=talk)
            pending = others.submit(raw, tls_server.port, request_bytes(CHAT, body), 20)
            until = time.monotonic() + READ_TIMEOUT
            while time.monotonic() < until and not pending.done():
                health = raw(tls_server.port, request_bytes("/health", b"", method="GET"))
                assert health.status == 200
                assert health.seconds < SLACK
            reply = pending.result()
    finally:
        tls_upstream.deaf = False
        tls_upstream.close_connections()
    assert reply.status == 504
    assert reply.seconds < READ_TIMEOUT + SLACK
    for path, stream in KINDS:
        assert_serves(tls_server, path, stream)


def test_a_wrong_authority_is_refused(tls_upstream: RawUpstream) -> None:
    servers = start(UPSTREAM_BASE=f"https://localhost:{tls_upstream.port}")
    for server in servers:
        for path, _, _, reply in ask_all(server, "good"):
            assert reply.status == 502
            error_of(reply, path)
