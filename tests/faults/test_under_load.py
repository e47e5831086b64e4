"""/health and other requests while a worker is full of work."""

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .answers import TEXT
from .awaiting import wait_until
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KIND_IDS, MESSAGES, Client, ask, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_hostile_http import post
from .test_upstream_faults import text_of, unique

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAMS = 500
assert KIND_IDS


def slowest_health(server: GunicornServer, seconds: float) -> float:
    until = time.monotonic() + seconds
    slowest = 0.0
    while time.monotonic() < until:
        reply = raw(server.port, HEALTH)
        assert reply.status == 200
        slowest = max(slowest, reply.seconds)
        time.sleep(0.01)
    return slowest


def test_health_under_500_streams(server: GunicornServer, upstream: RawUpstream) -> None:
    worker = server.worker
    fds = worker.num_fds()
    models = [unique("quiet") for _ in range(STREAMS)]
    clients = [Client(server.port) for _ in models]
    for at, (client, model) in enumerate(zip(clients, models, strict=True)):
        path = CHAT if at % 2 else MESSAGES
        client.send(request_bytes(path, request_body(path, model, True)))
    for client in clients:
        client.until(b"message_start" if client is clients[0] else b"data")
    assert worker.num_fds() >= fds + 2 * STREAMS - 50
    assert slowest_health(server, 0.7) < 0.2
    assert text_of(ask(server.port, CHAT, unique("good"), True), CHAT, True) == TEXT
    for client in clients:
        client.sock.close()
    for model in models:
        assert upstream.call_of(model).left.wait(3)
    wait_until(lambda: worker.num_fds() < fds + 50, 5, "descriptors to be closed")


def test_health_while_a_megabyte_of_tokens_is_counted(server: GunicornServer) -> None:
    text = "the quick brown fox jumps over the lazy dog, 1234 times; " * 18_000
    body = request_body(MESSAGES, "good", False, messages=[{"role": "user", "content": text}])
    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(raw, server.port, request_bytes(f"{MESSAGES}/count_tokens", body), 20)
        slowest = 0.0
        while not counting.done():
            slowest = max(slowest, slowest_health(server, 0.05))
        reply = counting.result()
    assert reply.status == 200
    assert reply.json["input_tokens"] > 100_000
    assert slowest < 0.2


FLOODS = {
    "requests in a row": (b"", HEALTH * 2_000),
    "chunks of one byte": (post("Transfer-Encoding: chunked", body=b""), b"1\r\n \r\n" * 20_000),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_health_while_one_connection_always_has_more_to_come(server: GunicornServer, flood: str) -> None:
    """It is never waited for, and had the worker for itself."""
    begin, more = FLOODS[flood]
    with Client(server.port) as client, ThreadPoolExecutor(2) as pool:

        def send() -> None:
            with contextlib.suppress(OSError):
                client.send(begin)
                while True:
                    client.send(more)

        def receive() -> None:
            with contextlib.suppress(OSError):
                while client.sock.recv(1 << 20):
                    pass

        ends = [pool.submit(send), pool.submit(receive)]
        try:
            assert slowest_health(server, 0.6) < 0.5
        finally:
            client.sock.shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.result(5)
