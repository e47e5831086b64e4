"""A client that leaves frees its upstream connection within two seconds, so that nobody is billed for it."""

import itertools
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .awaiting import wait_until
from .certificates import needs_openssl
from .conftest import KEEPALIVE_INTERVAL
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KIND_IDS, KINDS, MESSAGES, Client, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import checked_error, error_of, events_of, unique

WITHIN = 2.0


def opened(server: GunicornServer, path: str, model: str, stream: bool) -> Client:
    client = Client(server.port)
    client.send(request_bytes(path, request_body(path, model, stream)))
    return client


def close(client: Client, abruptly: bool) -> None:
    if abruptly:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


@pytest.mark.parametrize("script", ["silence", "silence-mid-body"])
def test_while_the_upstream_is_silent(two_workers: GunicornServer, upstream: RawUpstream, script: str) -> None:
    """Before the first byte and in mid-stream, and with a stream that has been kept alive meanwhile."""

    def left(case: tuple[tuple[str, bool], bool, float]) -> bool:
        (path, stream), abruptly, seconds = case
        model = unique(script)
        client = opened(two_workers, path, model, stream)
        call = upstream.call_of(model)
        time.sleep(seconds)
        close(client, abruptly)
        return call.left.wait(WITHIN)

    before = two_workers.log().count("ended_by=client")
    cases = list(itertools.product(KINDS, (False, True), (0.1, KEEPALIVE_INTERVAL + 0.7)))
    with ThreadPoolExecutor(len(cases)) as pool:
        assert all(pool.map(left, cases))
    wait_until(lambda: two_workers.log().count("ended_by=client") >= before + len(cases))


@pytest.mark.parametrize("abruptly", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_while_the_upstream_sends(
    two_workers: GunicornServer, upstream: RawUpstream, path: str, stream: bool, abruptly: bool
) -> None:
    model = unique("talkative")
    client = opened(two_workers, path, model, stream)
    if stream:
        client.until(b"more ")
    call = upstream.call_of(model)
    close(client, abruptly)
    assert call.left.wait(WITHIN)


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_while_an_endless_answer_comes_at_full_speed(
    two_workers: GunicornServer, upstream: RawUpstream, path: str, stream: bool
) -> None:
    model = unique("endless")
    client = opened(two_workers, path, model, stream)
    upstream.call_of(model)
    close(client, False)
    assert upstream.call_of(model).left.wait(WITHIN)


@needs_openssl
@pytest.mark.parametrize("stream", [False, True])
def test_while_tls_stalls(tls_server: GunicornServer, tls_upstream: RawUpstream, stream: bool) -> None:
    tls_upstream.stalls = True
    tls_upstream.close_connections()
    tls_upstream.stalled_call_left.clear()
    try:
        before = tls_upstream.accepted
        client = opened(tls_server, CHAT, unique("good"), stream)
        wait_until(lambda: tls_upstream.accepted > before)
        client.sock.close()
        assert tls_upstream.stalled_call_left.wait(0.9), "before the connect timeout"
    finally:
        tls_upstream.stalls = False


@pytest.mark.parametrize("script", ["silence", "silence-mid-body"])
def test_who_closed_its_own_direction_only_is_told(
    two_workers: GunicornServer, upstream: RawUpstream, script: str
) -> None:
    """That looks like leaving. What it gets must not look like an answer that is complete."""
    clients = [(path, stream, opened(two_workers, path, unique(script), stream)) for path, stream in KINDS]
    time.sleep(0.2)
    for path, stream, client in clients:
        client.sock.shutdown(socket.SHUT_WR)
        reply = client.reply()
        if stream and reply.status == 200:
            *before, last = events_of(reply)
            error = checked_error(last, path)
            assert {} not in before, "no [DONE]"
        else:
            assert reply.status == 499
            assert not stream or script == "silence"
            error = error_of(reply, path)
        assert "both directions" in error["message"]
        client.sock.close()


def test_leaving_in_the_middle_of_ones_own_body_sends_nothing(
    two_workers: GunicornServer, upstream: RawUpstream
) -> None:
    model = unique("good")
    with Client(two_workers.port) as client:
        client.send(request_bytes(MESSAGES, request_body(MESSAGES, model, False))[:-20])
    time.sleep(0.3)
    assert upstream.calls_of(model) == []


def test_a_hundred_leave_at_once_and_nothing_is_left(two_workers: GunicornServer, upstream: RawUpstream) -> None:
    workers = two_workers.workers()
    before = sum(worker.num_fds() for worker in workers)
    models = [unique("silence") for _ in range(100)]
    clients = [opened(two_workers, *KINDS[at % 4][:1], model, KINDS[at % 4][1]) for at, model in enumerate(models)]
    for model in models:
        upstream.call_of(model)
    for client in clients:
        client.sock.close()
    for model in models:
        assert upstream.call_of(model).left.wait(WITHIN)
    wait_until(lambda: sum(worker.num_fds() for worker in workers) <= before + 5, 3, "descriptors to be closed")


def test_a_pipelined_request_is_not_taken_for_leaving(two_workers: GunicornServer) -> None:
    with Client(two_workers.port) as client:
        first = request_bytes(CHAT, request_body(CHAT, unique("late"), False))
        client.send(first + request_bytes(CHAT, request_body(CHAT, unique("good"), False)))
        assert client.reply().status == 200
        assert client.reply().status == 200
