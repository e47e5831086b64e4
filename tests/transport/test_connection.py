"""Connections to the upstream: when a read waits first, and what TLS has read ahead."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from app.transport.connection import READ_BYTES, SHORT_READ, Connection
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
    """Gives a record a read, and then raises `behind`. Made by itself as by an `ssl.SSLContext`."""

    def __init__(self, records: list[bytes], behind: Exception) -> None:
        self.records = records
        self.behind = behind

    def wrap_socket(self, sock: socket.socket, **_: object) -> "OverTls":
        self.sock = sock
        return self

    def do_handshake(self) -> None: ...

    def fileno(self) -> int:
        return self.sock.fileno()

    def recv(self, _: int) -> bytes:
        if self.records:
            return self.records.pop(0)
        raised, self.behind = self.behind, ssl.SSLWantReadError()
        raise raised

    def send(self, data: bytes) -> int:
        return len(data)

    def close(self) -> None:
        self.sock.close()


def over_tls(joined: Joined, *records: bytes, behind: Exception) -> OverTls:
    context: Any = OverTls(list(records), behind)
    joined.connection.start_tls(context, "upstream.example", joined.patience)
    joined.connection.send(b"request", joined.patience)
    return cast(OverTls, context)


def test_one_read_takes_all_records_that_are_there(joined: Joined) -> None:
    tls = over_tls(joined, b"one", b"two", behind=ssl.SSLWantReadError())
    assert joined.received() == (b"onetwo", 0)
    tls.records = [b"three"]
    assert joined.received() == (b"three", 1)


def test_what_is_left_inside_tls_is_not_waited_for(joined: Joined) -> None:
    half = b"x" * (READ_BYTES // 2)
    over_tls(joined, half, half, b"rest", behind=ssl.SSLWantReadError())
    assert joined.received() == (half + half, 0)
    assert joined.received() == (b"rest", 0)


def test_the_end_behind_the_last_record_is_told_once_more(joined: Joined) -> None:
    over_tls(joined, b"one", behind=ssl.SSLZeroReturnError())
    joined.connection.idle_since = time.monotonic()
    assert joined.received() == (b"one", 0)
    assert not joined.connection.usable
    assert joined.received() == (b"", 0)


def test_a_reset_behind_the_last_record_is_no_clean_end(joined: Joined) -> None:
    over_tls(joined, b"one", behind=ConnectionResetError())
    assert joined.received() == (b"one", 0)
    with pytest.raises(ConnectionResetError):
        joined.received()
