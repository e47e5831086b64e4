"""`python -m bench.upstream`: a Messages API that costs next to nothing, so that it is never what limits a gateway.

Answers are encoded once; one thread sends them from an epoll loop. What a request gets is told by the marker in it.
"""

from __future__ import annotations

import contextlib
import heapq
import re
import select
import socket
import ssl
import sys
import time
from collections import deque
from functools import lru_cache
from itertools import count

from bench.answers import Script, frames, message, script_of

READ_BYTES = 262_144
WRITE_BYTES = 65_536
WRITES_A_TURN = 64
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    b"request-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


def plain_answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nrequest-id: req_bench\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


MESSAGE = plain_answer("200 OK", message())
NO_MARKER = plain_answer(
    "400 Bad Request", b'{"type":"error","error":{"type":"invalid_request_error","message":"no marker"}}'
)


@lru_cache
def writes(script: Script) -> tuple[bytes, ...]:
    """What is given to the kernel in one call each; `held` stops before the last item."""
    events = frames(script)
    if script.delivery == "held":
        return _STREAM_HEAD + b"".join(events[:-4]), b"".join(events[-4:]) + _LAST_CHUNK
    if script.delivery == "burst":
        whole = _STREAM_HEAD + b"".join(events) + _LAST_CHUNK
        return tuple(whole[at : at + WRITE_BYTES] for at in range(0, len(whole), WRITE_BYTES))
    # message_start, ping and content_block_start come together, and so does what follows the last delta.
    start, end = _STREAM_HEAD + b"".join(events[:3]), b"".join(events[-3:]) + _LAST_CHUNK
    return start, *events[3:-3], end


class Connection:
    """One accepted socket: the request bytes so far, and the writes still to be made."""

    __slots__ = ("blocked", "due", "pause", "received", "socket", "waiting", "wanted")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.received = b""
        self.wanted = 0
        self.waiting: deque[bytes] = deque()
        self.pause = 0.0
        self.due = 0.0
        self.blocked = False

    def request_body(self, data: bytes) -> bytes | None:
        """The body once the request is whole; None until then."""
        self.received = self.received + data if self.received else data
        if not self.wanted:
            head_end = self.received.find(b"\r\n\r\n")
            if head_end < 0:
                return None
            self.wanted = head_end + 4 + _body_length(self.received, head_end)
        if len(self.received) < self.wanted:
            return None
        body, self.received, self.wanted = self.received, b"", 0
        return body


def _body_length(received: bytes, head_end: int) -> int:
    length = _LENGTH.search(received, 0, head_end + 2)
    return int(length[1]) if length else 0


def _server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Upstream:
    """The epoll loop. It listens at `port`, and behind TLS at `tls_port` (0 without a `certificate`, a PEM file with
    its key)."""

    def __init__(self, host: str = "127.0.0.1", certificate: str = "") -> None:
        self._epoll = select.epoll()
        self._listeners: dict[int, tuple[socket.socket, ssl.SSLContext | None]] = {}
        self.port = self._listen(host, None)
        self.tls_port = self._listen(host, _server_context(certificate)) if certificate else 0
        self._connections: dict[int, Connection] = {}
        self._ready: deque[Connection] = deque()
        self._timed: list[tuple[float, int, Connection]] = []
        self._held: list[Connection] = []
        self._order = count()

    def _listen(self, host: str, context: ssl.SSLContext | None) -> int:
        listener = socket.create_server((host, 0), backlog=4096)
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener, context
        self._epoll.register(listener, select.EPOLLIN)
        return int(listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            for fd, happened in self._epoll.poll(self._patience()):
                if fd in self._listeners:
                    self._accept(*self._listeners[fd])
                elif happened & select.EPOLLOUT:
                    self._unblocked(self._connections[fd])
                else:
                    self._read(self._connections[fd])
            now = time.monotonic()
            while self._timed and self._timed[0][0] <= now:
                self._ready.append(heapq.heappop(self._timed)[2])
            for _ in range(len(self._ready)):
                self._write(self._ready.popleft())

    def _patience(self) -> float:
        if self._ready:
            return 0
        # epoll counts in milliseconds and rounds up.
        return max(0.0, self._timed[0][0] - time.monotonic()) if self._timed else 60

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if context is not None:
                    # The first read shakes hands.
                    sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                self._connections[sock.fileno()] = Connection(sock)
                self._epoll.register(sock, select.EPOLLIN)

    def _read(self, connection: Connection) -> None:
        more = True
        while more:
            try:
                data = connection.socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            if not data:
                self._close(connection)
                return
            request = connection.request_body(data)
            if request is not None:
                self._answer(connection, request)
            # What TLS has read and not given out yet makes no socket ready.
            more = isinstance(connection.socket, ssl.SSLSocket) and connection.socket.fileno() >= 0

    def _close(self, connection: Connection) -> None:
        connection.waiting.clear()
        if connection.socket.fileno() >= 0:
            self._epoll.unregister(connection.socket)
            del self._connections[connection.socket.fileno()]
            connection.socket.close()

    def _answer(self, connection: Connection, request: bytes) -> None:
        connection.pause = 0
        if request.startswith(b"POST /release"):
            self._release()
            connection.waiting.append(plain_answer("200 OK", b"{}"))
        elif not request.startswith(b"POST"):
            connection.waiting.append(plain_answer("200 OK", b'{"data":[],"has_more":false}'))
        else:
            self._answer_script(connection, request)
        self._write(connection)

    def _answer_script(self, connection: Connection, request: bytes) -> None:
        try:
            script = script_of(request)
        except ValueError:
            connection.waiting.append(NO_MARKER)
            return
        if not _STREAM.search(request):
            connection.waiting.append(MESSAGE)
            return
        planned = writes(script)
        if script.delivery == "held":
            self._held.append(connection)
            planned = planned[:-1]
        connection.waiting.extend(planned)
        if script.delivery == "paced":
            connection.pause = 1 / script.rate
            connection.due = time.monotonic()

    def _release(self) -> None:
        held, self._held = self._held, []
        for connection in held:
            connection.waiting.append(HELD_END)
            self._ready.append(connection)

    def _unblocked(self, connection: Connection) -> None:
        self._epoll.modify(connection.socket, select.EPOLLIN)
        connection.blocked = False
        self._write(connection)

    def _write(self, connection: Connection) -> None:
        """Make some of the waiting writes; the others get their turn in between."""
        for _ in range(1 if connection.pause else WRITES_A_TURN):
            if connection.blocked or not connection.waiting:
                return
            data = connection.waiting.popleft()
            try:
                sent = connection.socket.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                sent = 0
            except OSError:
                self._close(connection)
                return
            if sent < len(data):
                connection.waiting.appendleft(data[sent:])
                connection.blocked = True
                self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
                return
        if connection.waiting:
            self._schedule(connection)

    def _schedule(self, connection: Connection) -> None:
        if connection.pause:
            connection.due += connection.pause
            heapq.heappush(self._timed, (connection.due, next(self._order), connection))
        else:
            self._ready.append(connection)


HELD = Script("text", 20, "held")
HELD_END = writes(HELD)[-1]


if __name__ == "__main__":
    upstream = Upstream(certificate="".join(sys.argv[1:2]))
    sys.stdout.write(f"{upstream.port} {upstream.tls_port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        upstream.serve()
