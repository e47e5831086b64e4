"""Idle streams are kept alive, and how long the upstream may be silent does not depend on it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import KEEPALIVE_INTERVAL, PATIENT_FIRST_BYTE_TIMEOUT, PATIENT_READ_TIMEOUT
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KINDS, MESSAGES, Client, ask, request_body, request_bytes
from .test_upstream_faults import SLACK, ask_all, checked_error, error_of, events_of, script_of, text_of, unique

STREAMS = [path for path, stream in KINDS if stream]
MARKS = {CHAT: b": keep-alive\n\n", MESSAGES: b'event: ping\ndata: {"type": "ping"}\n\n'}


def test_a_silent_stream_is_kept_alive(patient_server: GunicornServer) -> None:
    """Before its first byte and in the middle."""
    for path, stream, _, reply in ask_all(patient_server, "late", "pausing"):
        assert text_of(reply, path, stream)
        assert not stream or 1 <= reply.body.count(MARKS[path]) <= 3


def test_pings_of_the_upstream_do_not_leave_the_client_without_a_byte(patient_server: GunicornServer) -> None:
    """They have no counterpart in OpenAI's stream; on the Messages API they are passed on and no others are added."""
    with ThreadPoolExecutor(2) as pool:
        chat, messages = pool.map(lambda path: longest_silence(patient_server, path), (CHAT, MESSAGES))
    assert chat[0] < KEEPALIVE_INTERVAL + 0.8
    assert messages[1].count(b"event: ping") == 10


def longest_silence(server: GunicornServer, path: str) -> tuple[float, bytes]:
    """(seconds without a byte, all bytes) of a stream whose upstream pings."""
    with Client(server.port) as client:
        client.send(request_bytes(path, request_body(path, unique("pinging"), True)))
        longest, last = 0.0, time.monotonic()
        received = b""
        while b"message_stop" not in received and b"[DONE]" not in received:
            received += client.sock.recv(65536)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest, received


@pytest.mark.parametrize("path", STREAMS)
def test_an_error_before_the_first_interval_keeps_its_status(patient_server: GunicornServer, path: str) -> None:
    assert ask(patient_server.port, path, unique("refused-400"), True).status == 400


def test_an_error_after_it_becomes_an_event(patient_server: GunicornServer) -> None:
    for path, stream, _, reply in ask_all(patient_server, "late-refusal"):
        if stream:
            assert reply.status == 200
            (error,) = [event for event in events_of(reply) if event.get("type") != "ping"]
            assert checked_error(error, path)["message"] == "The upstream says no."
        else:
            assert reply.status in (503, 529), "a buffered answer has nothing to be kept alive with"


def test_keeping_alive_does_not_put_off_the_timeout(patient_server: GunicornServer) -> None:
    """That to the first byte and that between bytes differ here."""
    timeouts = {"silence": PATIENT_FIRST_BYTE_TIMEOUT, "silence-mid-body": PATIENT_READ_TIMEOUT}
    for path, stream, model, reply in ask_all(patient_server, *timeouts):
        seconds = timeouts[script_of(model)]
        assert seconds - 0.1 < reply.seconds < seconds + SLACK, model
        if stream:
            checked_error(events_of(reply)[-1], path)
        else:
            assert reply.status == 504
            error_of(reply, path)
