"""Waits of both kinds: blocking in `poll`, and, in a child process that gevent has patched, parked on the hub."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from app.breath import breathe
from app.errors import ClientGone, ShuttingDown, UpstreamTimeout
from app.greenlets import under_gevent
from app.transport.patience import Client, Patience
from app.transport.waiting import READ, SWEEP_SECONDS, WRITE, waits_on

ROOT = Path(__file__).resolve().parents[2]
IN_CHILD = "WAITING_UNDER_GEVENT"
LATE = SWEEP_SECONDS + 0.3
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def upstream() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def client() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def waited(sock: socket.socket, patience: Patience, direction: int = READ) -> bool:
    waits = waits_on(sock)
    try:
        return waits.wait(direction, patience)
    finally:
        waits.close()


def later(seconds: float, act: object) -> threading.Timer:
    timer = threading.Timer(seconds, act)  # type: ignore[arg-type]
    timer.start()
    return timer


def test_ready_at_once_and_later(upstream: Pair) -> None:
    ours, theirs = upstream
    patience = Patience()
    patience.begin(5)
    assert waited(ours, patience, WRITE)
    timer = later(0.1, lambda: theirs.send(b"x"))
    began = time.monotonic()
    assert waited(ours, patience)
    assert 0.05 < time.monotonic() - began < 1
    timer.join()


def test_the_deadline_is_not_moved_by_waiting_again(upstream: Pair) -> None:
    patience = Patience(interval=0.1)
    began = time.monotonic()
    patience.begin(0.5)
    with pytest.raises(UpstreamTimeout):
        any(waited(upstream[0], patience) for _ in range(100))
    assert 0.4 < time.monotonic() - began < 0.5 + LATE


def test_bytes_that_came_before_the_deadline_count_even_if_it_has_passed(upstream: Pair) -> None:
    upstream[1].send(b"x")
    patience = Patience()
    patience.begin(-1)
    assert waited(upstream[0], patience)


def test_a_client_that_leaves(upstream: Pair, client: Pair) -> None:
    patience = Patience(Client(client[0]))
    patience.begin(5)
    timer = later(0.1, client[1].close)
    began = time.monotonic()
    with pytest.raises(ClientGone):
        waited(upstream[0], patience)
    assert time.monotonic() - began < 0.1 + LATE
    timer.join()
    assert patience.client.has_left()


def test_a_client_that_sends_more_has_not_left(upstream: Pair, client: Pair) -> None:
    client[1].send(b"GET /health HTTP/1.1\r\n\r\n")
    patience = Patience(Client(client[0]))
    patience.begin(0.2)
    with pytest.raises(UpstreamTimeout):
        waited(upstream[0], patience)
    assert not patience.client.has_left()


def test_all_waits_together_have_an_end(upstream: Pair) -> None:
    patience = Patience(latest=time.monotonic() + 0.2)
    patience.begin(10)
    with pytest.raises(UpstreamTimeout, match="UPSTREAM_TOTAL_TIMEOUT"):
        waited(upstream[0], patience)
    upstream[1].send(b"x")
    with pytest.raises(UpstreamTimeout, match="UPSTREAM_TOTAL_TIMEOUT"):
        patience.begin(10)


def test_a_client_socket_that_is_closed_here_is_ignored(upstream: Pair, client: Pair) -> None:
    client[0].close()
    patience = Patience(Client(client[0]))
    patience.begin(0.1)
    with pytest.raises(UpstreamTimeout):
        waited(upstream[0], patience)
    assert not patience.client.has_left()
    assert not Client().has_left()


def test_a_client_is_kept_alive_an_interval_after_it_was_written_to(upstream: Pair) -> None:
    client = Client()
    patience = Patience(client, interval=0.3)
    patience.begin(10)
    began = time.monotonic()
    assert not waited(upstream[0], patience)
    assert 0.25 < time.monotonic() - began < 0.3 + LATE
    time.sleep(0.2)
    client.wrote()
    assert patience.idle_at - time.monotonic() > 0.25, "each write puts it off"
    upstream[1].send(b"x")
    assert waited(upstream[0], patience)


def test_breathing_lets_others_run() -> None:
    ran = []
    thread = threading.Thread(target=lambda: ran.append(True))
    thread.start()
    until = time.monotonic() + 2
    while not ran and time.monotonic() < until:
        breathe()
    assert ran
    thread.join()


def test_breathing_lets_those_run_whose_socket_is_ready(upstream: Pair) -> None:
    """Not only those who wait for nothing: gevent's loop asks for sockets once in a thousand callbacks."""
    ours, theirs = upstream
    got: list[bool] = []
    patience = Patience()
    patience.begin(5)
    thread = threading.Thread(target=lambda: got.append(waited(ours, patience)))
    thread.start()
    time.sleep(0.1)
    theirs.send(b"x")
    for _ in range(10):
        until = time.monotonic() + 0.03
        while time.monotonic() < until:
            pass
        breathe()
    assert got or not under_gevent()
    thread.join()


@pytest.mark.skipif(IN_CHILD in os.environ, reason="this is the child")
def test_all_of_this_under_gevent() -> None:
    code = "from gevent import monkey; monkey.patch_all(); import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    arguments = [__file__, "-q", "-p", "no:cacheprovider", "-W", "ignore::gevent.monkey.MonkeyPatchWarning"]
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | {IN_CHILD: "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.skipif(IN_CHILD not in os.environ, reason="only in the child")
def test_whoever_is_killed_while_it_waits_can_say_so(upstream: Pair) -> None:
    patience = Patience()
    patience.begin(10)
    raised: list[Exception] = []

    def wait() -> None:
        with pytest.raises(ShuttingDown) as error:
            waited(upstream[0], patience)
        raised.append(error.value)

    greenlet = gevent.spawn(wait)
    gevent.sleep(0.1)
    greenlet.kill()
    assert raised


@pytest.mark.skipif(IN_CHILD not in os.environ, reason="only in the child")
def test_the_child_is_patched() -> None:
    assert under_gevent()
