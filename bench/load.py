"""The load: raw sockets and an epoll loop, cheap enough to keep any gateway busy; no answer goes unchecked."""

from __future__ import annotations

import contextlib
import select
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.answers import deltas
from bench.checks import Reply, complete_at, is_complete
from bench.upstream import HELD

READ_BYTES = 262_144
ANSWER_SECONDS = 60
OPENED_AT_ONCE = 100
Check = Callable[[Reply], None]


class LoadError(Exception):
    """A gateway closed a connection or did not answer in time."""


@dataclass(frozen=True)
class Call:
    """A whole HTTP request, where it goes, and what its answer must be."""

    port: int
    request: bytes
    check: Check


@dataclass
class Client:
    """One connection and the answer that it is receiving."""

    socket: socket.socket
    pieces: list[bytes] = field(default_factory=list)
    answered: bool = False

    def receive(self) -> bytes:
        """Read once; the bytes read. Raises LoadError if the gateway closed the connection."""
        try:
            data = self.socket.recv(READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            raise LoadError(f"the connection was closed after {sum(map(len, self.pieces))} bytes of an answer")
        self.pieces.append(data)
        return data

    def send(self, request: bytes) -> None:
        self.pieces.clear()
        self.socket.sendall(request)


class Clients:
    """Open connections to one port, waited on together."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.socket.close()
        self._epoll.close()

    def open(self, port: int) -> Client:
        sock = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self._clients[sock.fileno()] = Client(sock)
        self._epoll.register(sock, select.EPOLLIN)
        return client

    def readable(self) -> Iterator[Client]:
        """The clients with something to read. Raises LoadError after a minute without any."""
        ready = self._epoll.poll(ANSWER_SECONDS)
        if not ready:
            raise LoadError(f"no byte came for {ANSWER_SECONDS} seconds")
        for fd, _ in ready:
            yield self._clients[fd]


def closed_loop(call: Call, connections: int, seconds: float) -> int:
    """Each connection asks, reads its whole answer, has it checked and asks again; the number of answers."""
    answers = 0
    with Clients() as clients:
        for _ in range(connections):
            clients.open(call.port).send(call.request)
        asking = connections
        until = time.monotonic() + seconds
        while asking:
            for client in clients.readable():
                if not is_complete(client.pieces, client.receive()):
                    continue
                call.check(Reply.read(client.pieces))
                answers += 1
                if time.monotonic() < until:
                    client.send(call.request)
                else:
                    asking -= 1
    return answers


def at_once(call: Call, streams: int, spread: float) -> None:
    """`streams` answers at the same time, begun over `spread` seconds so that their deltas do not come together."""
    with Clients() as clients:
        for _ in range(streams):
            clients.open(call.port).send(call.request)
            time.sleep(spread / streams)
        left = streams
        while left:
            for client in clients.readable():
                if is_complete(client.pieces, client.receive()):
                    call.check(Reply.read(client.pieces))
                    left -= 1


@contextlib.contextmanager
def held_open(call: Call, streams: int, upstream_port: int) -> Iterator[None]:
    """Inside, `streams` answers are open and have had their first deltas; on leaving, all are completed and checked.

    The call must ask for the script HELD.
    """
    last_seen = deltas(HELD).text[-2].encode()
    with Clients() as clients:
        for begun in range(0, streams, OPENED_AT_ONCE):
            count = min(OPENED_AT_ONCE, streams - begun)
            opened = [clients.open(call.port) for _ in range(count)]
            for client in opened:
                client.send(call.request)
            waiting = count
            while waiting:
                for client in clients.readable():
                    client.receive()
                    if not client.answered and last_seen in b"".join(client.pieces):
                        client.answered = True
                        waiting -= 1
        yield
        urllib.request.urlopen(f"http://127.0.0.1:{upstream_port}/release", data=b"{}", timeout=10).close()
        left = streams
        while left:
            for client in clients.readable():
                if is_complete(client.pieces, client.receive()):
                    call.check(Reply.read(client.pieces))
                    left -= 1


def first_delta_seconds(call: Call, first: bytes, client: Client) -> float:
    """From the request's sending to the arrival of the bytes `first`; the answer is then read to its end."""
    begun = time.perf_counter()
    client.send(call.request)
    while first not in client.receive():
        pass
    elapsed = time.perf_counter() - begun
    while complete_at(b"".join(client.pieces)) is None:
        client.receive()
    call.check(Reply.read(client.pieces))
    return elapsed
