"""Clients that read, or send, slowly or not at all."""

import contextlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .answers import MEGABYTE, TEXT
from .awaiting import wait_until
from .conftest import start
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KINDS, MESSAGES, Client, ask, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import error_of, text_of, unique


def test_who_does_not_read_costs_no_memory_and_is_cut(patient_server: GunicornServer, upstream: RawUpstream) -> None:
    worker = patient_server.worker
    models = [unique("endless") for _ in range(30)]
    clients = [Client(patient_server.port, receive_buffer=4096) for _ in models]
    for client, model, path in zip(clients, models, (CHAT, MESSAGES) * 15, strict=True):
        client.send(request_bytes(path, request_body(path, model, True)))
    for model in models:
        upstream.call_of(model)
    time.sleep(0.5)
    early = worker.memory_info().rss
    time.sleep(1)
    late = worker.memory_info().rss
    assert late - early < 5 * MEGABYTE
    for model in models:
        assert upstream.call_of(model).left.wait(6), "CLIENT_SEND_TIMEOUT is 2 seconds"
    for client in clients:
        client.sock.close()
    assert text_of(ask(patient_server.port, CHAT, unique("good"), True), CHAT, True) == TEXT


def test_who_reads_slowly_but_steadily_gets_everything(patient_server: GunicornServer) -> None:
    """Three seconds and more for 20 MB in one event: CLIENT_SEND_TIMEOUT limits a pause, not the whole answer."""

    def received(kind: tuple[str, bool]) -> int:
        path, stream = kind
        with Client(patient_server.port, receive_buffer=65536) as client:
            client.send(request_bytes(path, request_body(path, unique("big-event"), stream)))
            client.until(b"\r\n\r\n")
            size = len(client.rest)
            for _ in range(10):
                time.sleep(0.3)
                size += len(client.sock.recv(1 << 20))
            while piece := client.sock.recv(1 << 20):
                size += len(piece)
                if piece.endswith((b"}", b"0\r\n\r\n")):
                    return size
        return size

    with ThreadPoolExecutor(4) as pool:
        for size in pool.map(received, KINDS):
            assert size > 20 * MEGABYTE


def test_a_buffered_answer_that_is_not_read_is_cut(patient_server: GunicornServer) -> None:
    clients = [Client(patient_server.port, receive_buffer=4096) for _ in range(4)]
    for client, path in zip(clients, (CHAT, MESSAGES) * 2, strict=True):
        client.send(request_bytes(path, request_body(path, unique("big-event"), False)))
    before = patient_server.log().count("TimeoutError")
    wait_until(lambda: patient_server.log().count("TimeoutError") >= before + 4, 8)
    for client in clients:
        client.sock.close()


def test_a_send_timeout_does_not_outlive_its_answer(patient_server: GunicornServer) -> None:
    with Client(patient_server.port) as client:
        assert client.ask(CHAT, unique("good"), True).status == 200
        time.sleep(2.5)
        assert client.ask(CHAT, unique("good"), True).status == 200, "idle longer than CLIENT_SEND_TIMEOUT"


def test_hundreds_of_slow_heads_do_not_stop_service_and_are_reaped(upstream: RawUpstream) -> None:
    """gunicorn's keepalive is also the time for a head; 10 s by default, 1 s here."""
    environ = {"UPSTREAM_BASE": f"http://127.0.0.1:{upstream.port}", "WORKERS": 2}
    for server in start(**environ, GUNICORN_CMD_ARGS="--keep-alive 1"):
        assert_all_serve(server)
        idle, silent = Client(server.port), Client(server.port)
        assert idle.ask(CHAT, unique("good"), False).status == 200
        slow = [Client(server.port) for _ in range(400)]
        for client in slow:
            client.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        quiet_from = len(server.log())
        assert_all_serve(server)
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            for client in slow[:100]:
                with contextlib.suppress(ConnectionError):
                    client.send(b"a")
            time.sleep(0.1)
        assert_all_serve(server)
        for client in [*slow, idle, silent]:
            assert client.closed(1)
            client.sock.close()
        noise = [line for line in server.log()[quiet_from:].splitlines() if " request id=" not in line]
        assert noise == []


def assert_all_serve(server: GunicornServer) -> None:
    for path, stream in KINDS:
        reply = ask(server.port, path, unique("good"), stream)
        assert text_of(reply, path, stream) == TEXT
        assert reply.seconds < 1


def test_a_slow_body_is_answered_and_its_connection_closed(
    patient_server: GunicornServer, upstream: RawUpstream
) -> None:
    def dribbled(kind: tuple[str, bool]) -> None:
        path, chunked = kind
        model = unique("good")
        body = request_body(path, model, False)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            "Authorization: Bearer k",
        ]
        with Client(patient_server.port) as client:
            client.send("\r\n".join([*lines, framing, "\r\n"]).encode())
            if chunked:
                client.send(b"%x\r\n" % len(body))
            began = time.monotonic()
            with contextlib.suppress(ConnectionError):
                for at in range(22):
                    client.send(body[at : at + 1])
                    time.sleep(0.1)
            reply = client.reply()
            assert reply.status == 408
            assert time.monotonic() - began < 4
            error_of(reply, path)
            # What is still sent must never be taken for a request.
            with contextlib.suppress(ConnectionError):
                client.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.closed(4)
        assert upstream.calls_of(model) == []

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(dribbled, itertools.product((CHAT, MESSAGES), (False, True))))


REFUSED_UNREAD = {
    415: ["Authorization: Bearer k", "Content-Type: text/plain", "Content-Length: 50000000"],
    413: ["Authorization: Bearer k", "Content-Type: application/json", "Content-Length: 50000000"],
    401: ["Content-Type: application/json", "Content-Length: 50000000"],
}


@pytest.mark.parametrize("status", REFUSED_UNREAD)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_big_body_that_is_refused_unread_blocks_nobody(server: GunicornServer, path: str, status: int) -> None:
    """The client sends 50 MB before it looks for an answer, as most do; it gets it, and others do not wait."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *REFUSED_UNREAD[status]]
    with Client(server.port) as client, ThreadPoolExecutor(1) as pool:

        def upload() -> None:
            client.send("\r\n".join([*lines, "\r\n"]).encode())
            for _ in range(50):
                client.send(b" " * 1_000_000)

        sending = pool.submit(upload)
        slowest = 0.0
        while not sending.done():
            with Client(server.port) as other:
                began = time.monotonic()
                other.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert other.reply().status == 200
                slowest = max(slowest, time.monotonic() - began)
        sending.result()
        reply = client.reply()
        assert reply.status == status
        error_of(reply, path)
        assert client.ask(path, unique("good"), False).status == 200, "the connection goes on"
    assert slowest < 0.4
