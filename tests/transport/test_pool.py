"""Which connection a request goes out on, and when it may go out again."""

import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from app.errors import UpstreamUnreachable
from app.transport import pool
from app.transport.connection import MAX_IDLE_SECONDS, Connection, NotSent
from app.transport.dialing import Dialer
from app.transport.exchange import Exchange
from app.transport.patience import Patience
from app.transport.pool import Pool

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHi"


class Upstream:
    """Dials socket pairs, and holds the other end of each."""

    def __init__(self) -> None:
        self.peers: list[socket.socket] = []
        self.connections: list[Connection] = []
        self.sends: Callable[[bytes, Patience], None] | None = None

    def dial(self, patience: Patience) -> Connection:
        ours, theirs = socket.socketpair()
        connection = Connection(ours)
        if self.sends:
            connection.send = self.sends  # type: ignore[method-assign]
        self.peers.append(theirs)
        self.connections.append(connection)
        return connection

    def answers(self, index: int) -> bytes:
        """What came on a connection, which is answered."""
        received = self.peers[index].recv(1000)
        self.peers[index].sendall(ANSWER)
        return received


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    for connection, peer in zip(made.connections, made.peers, strict=True):
        connection.close()
        peer.close()


@pytest.fixture
def idle(upstream: Upstream) -> Pool:
    return Pool(cast(Dialer, upstream))


def ask(pool: Pool, request: bytes = b"request") -> Exchange:
    return pool.send(request, Patience(), 5, 5)


def served(pool: Pool, upstream: Upstream, index: int) -> None:
    """One request and its whole answer on connection `index`."""
    exchange = ask(pool)
    assert upstream.answers(index) == b"request"
    exchange.head()
    assert (exchange.read(), exchange.read()) == (b"Hi", b"")


def test_requests_that_follow_each_other_share_a_connection(idle: Pool, upstream: Upstream) -> None:
    served(idle, upstream, 0)
    served(idle, upstream, 0)
    assert len(upstream.connections) == 1


def test_an_idle_connection_that_another_thread_takes_is_not_missed(idle: Pool, upstream: Upstream) -> None:
    class Raced(dict[Connection, None]):
        def popitem(self) -> tuple[Connection, None]:
            self.clear()
            return super().popitem()

    served(idle, upstream, 0)
    idle._idle = Raced(idle._idle)
    served(idle, upstream, 1)


def test_requests_at_the_same_time_do_not_and_the_youngest_serves_next(idle: Pool, upstream: Upstream) -> None:
    first, second = ask(idle), ask(idle)
    for index, exchange in enumerate((first, second)):
        upstream.answers(index)
        exchange.head()
        assert (exchange.read(), exchange.read()) == (b"Hi", b"")
    served(idle, upstream, 1)
    assert len(upstream.connections) == 2


@pytest.mark.parametrize("stale", ["closed", "leftover", "old"])
def test_an_idle_connection_that_cannot_serve_is_passed_over(
    idle: Pool, upstream: Upstream, stale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(idle, upstream, 0)
    if stale == "closed":
        upstream.peers[0].shutdown(socket.SHUT_WR)
    elif stale == "leftover":
        upstream.peers[0].sendall(ANSWER)
    else:
        upstream.connections[0].idle_since -= MAX_IDLE_SECONDS
    served(idle, upstream, 1)
    assert len(upstream.connections) == 2


def failing(error: BaseException) -> Callable[[bytes, Patience], None]:
    def send(data: bytes, patience: Patience) -> None:
        raise error

    return send


def test_what_was_not_sent_at_all_is_sent_again_but_not_for_ever(idle: Pool, upstream: Upstream) -> None:
    upstream.sends = failing(NotSent())
    with pytest.raises(UpstreamUnreachable, match="closed each new connection"):
        ask(idle)
    assert len(upstream.connections) == 2


def test_what_was_sent_in_part_is_not_sent_again_and_its_answer_is_read(idle: Pool, upstream: Upstream) -> None:
    """A server that refuses a large body answers, and reads no further."""
    upstream.sends = failing(BrokenPipeError())
    exchange = ask(idle)
    upstream.peers[0].sendall(ANSWER)
    exchange.head()
    assert (exchange.status, len(upstream.connections)) == (200, 1)
    exchange.close()


def test_who_is_interrupted_while_sending_leaves_no_connection_behind(idle: Pool, upstream: Upstream) -> None:
    upstream.sends = failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        ask(idle)
    upstream.peers[0].settimeout(5)
    assert upstream.peers[0].recv(1) == b""


def test_the_oldest_of_too_many_idle_connections_is_closed(
    idle: Pool, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MAX_IDLE", 2)
    exchanges = [ask(idle) for _ in range(3)]
    for index, exchange in enumerate(exchanges):
        upstream.answers(index)
        exchange.head()
        assert (exchange.read(), exchange.read()) == (b"Hi", b"")
    upstream.peers[0].settimeout(5)
    assert upstream.peers[0].recv(1) == b""


def test_a_pool_that_is_let_go_of_closes_what_it_holds(upstream: Upstream) -> None:
    held: Any = Pool(cast(Dialer, upstream))
    served(held, upstream, 0)
    del held
    upstream.peers[0].settimeout(5)
    assert upstream.peers[0].recv(1) == b""
