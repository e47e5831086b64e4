"""Connections to the upstream: when a read waits first, and what TLS has read ahead."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.transport.connection import SHORT_READ, Connection
from app.transport.patience import Patience


class Waits:
    """Counts the waits, and does not wait."""

    def __init__(self) -> None:
        self.count = 0
        self.began = threading.Event()

    def wait(self, direction: int, patience: Patience) -> bool:
        self.count += 1
        self.began.set()
        return True

    def close(self) -> None: ...


class Joined:
    """A connection with its peer and its waits."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.connection = Connection(ours)
        self.waits = self.connection._waits = Waits()
        self.patience = Patience()

    def received(self) -> tuple[bytes | None, int]:
        """What one read brings, and how often it waited."""
        before = self.waits.count
        return self.connection.receive(self.patience), self.waits.count - before


@pytest.fixture
def joined() -> Iterator[Joined]:
    made = Joined()
    yield made
    made.connection.close()
    made.peer.close()


def test_behind_a_request_and_a_short_read_nothing_is_there_yet(joined: Joined) -> None:
    joined.connection.send(b"request", joined.patience)
    joined.peer.sendall(b"answer")
    assert joined.received() == (b"answer", 1)
    joined.peer.sendall(b"event")
    assert joined.received() == (b"event", 1)


def test_a_request_that_is_taken_in_parts(joined: Joined) -> None:
    request = bytes(range(256)) * 8000
    taken: list[bytes] = []

    def read() -> None:
        joined.waits.began.wait(10)
        while sum(map(len, taken)) < len(request):
            taken.append(joined.peer.recv(1 << 20))

    reader = threading.Thread(target=read)
    reader.start()
    joined.connection.send(request, joined.patience)
    reader.join()
    assert joined.waits.count
    assert b"".join(taken) == request


def test_an_upstream_in_full_flow_is_read_on(joined: Joined) -> None:
    joined.peer.sendall(b"x" * SHORT_READ)
    assert joined.received() == (b"x" * SHORT_READ, 0)
    joined.peer.sendall(b"y" * SHORT_READ)
    assert joined.received() == (b"y" * SHORT_READ, 0)


def test_the_end_comes_after_a_short_read_too(joined: Joined) -> None:
    joined.peer.sendall(b"event")
    assert joined.received() == (b"event", 0)
    joined.peer.close()
    assert joined.received() == (b"", 1)


def test_a_wait_that_keeps_the_client_alive_reads_nothing(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    joined.connection.send(b"request", joined.patience)
    monkeypatch.setattr(joined.waits, "wait", lambda *_: False)
    joined.peer.sendall(b"answer")
    assert joined.connection.receive(joined.patience) is None
    monkeypatch.undo()
    assert joined.connection.receive(joined.patience) == b"answer"


class OverTls:
    """Holds decrypted bytes in itself: no wait for the socket would end. Made by itself as by an `ssl.SSLContext`."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def wrap_socket(self, sock: socket.socket, **_: object) -> "OverTls":
        sock.close()
        return self

    def do_handshake(self) -> None: ...

    def recv(self, _: int) -> bytes:
        return self.pieces.pop(0)

    def send(self, data: bytes) -> int:
        return len(data)

    def close(self) -> None: ...


def test_over_tls_no_read_waits_first(joined: Joined) -> None:
    context: Any = OverTls([b"one", b"two"])
    joined.connection.start_tls(context, "upstream.example", joined.patience)
    joined.connection.send(b"request", joined.patience)
    assert joined.received() == (b"one", 0)
    assert joined.received() == (b"two", 0)
