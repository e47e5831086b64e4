"""Connections to the upstream: when a read waits first, and what TLS has read ahead."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from app.connection import SHORT_READ, Connection
from app.waiting import Patience


class Waits:
    """Counts the waits, and does not wait."""

    def __init__(self) -> None:
        self.count = 0

    def wait(self, direction: int, patience: Patience) -> bool:
        self.count += 1
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


class OverTls(ssl.SSLSocket):
    """Holds decrypted bytes in itself: no wait for the socket would end."""

    def __new__(cls, *_: Any) -> Any:
        return socket.socket.__new__(cls)

    def __init__(self, pieces: list[bytes]) -> None:
        socket.socket.__init__(self)
        self.pieces = pieces

    def recv(self, *_: Any) -> bytes:
        return self.pieces.pop(0)

    def send(self, data: Any, *_: Any) -> int:
        return len(data)


def test_over_tls_no_read_waits_first(joined: Joined) -> None:
    joined.connection._sock.close()
    joined.connection._sock = OverTls([b"one", b"two"])
    joined.connection.send(b"request", joined.patience)
    assert joined.received() == (b"one", 0)
    assert joined.received() == (b"two", 0)
