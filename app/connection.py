"""HTTP/1.1 to one upstream over sockets of our own: sent in one write, read as it comes, never blocking without limit.

This is what stands below `requests`. llhttp (httptools) parses; an answer it finds malformed is UpstreamBroken.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

import gevent
import gevent.monkey
import httptools

from app.errors import ProxyError, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from app.waiting import READ, WRITE, Patience, readable_now, waits_on

READ_BYTES = 65536
MAX_HEAD_BYTES = 65536
MAX_IDLE_SECONDS = 55.0
"""Common servers close an idle connection after 60 to 75 seconds."""
FINISH_SECONDS = 1.0


class HeadPending(Exception):
    """The request is sent and the answer has not begun; `exchange.head()` goes on waiting for it."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange


class NotSent(Exception):
    """Not one byte of the request was taken, so it may be sent again."""


@dataclass(frozen=True)
class Address:
    """Where the upstream is, and through which proxy. `ca_file` empty: the bundle that `requests` ships."""

    scheme: str
    host: str
    port: int
    ca_file: str
    proxy: str = ""


class Connection:
    """One socket to the upstream, not blocking; its exchanges come one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waits = waits_on(sock)
        self.idle_since = 0.0

    def send(self, data: bytes, patience: Patience) -> None:
        """Raises NotSent if the peer is gone before the first byte, OSError if it goes later."""
        sent = 0
        view = memoryview(data)
        while sent < len(view):
            try:
                sent += self._sock.send(view[sent:])
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(WRITE, patience)
            except ssl.SSLWantReadError:
                self._wait(READ, patience)
            except OSError:
                if not sent:
                    raise NotSent from None
                raise

    def _wait(self, direction: int, patience: Patience) -> None:
        while not self._waits.wait(direction, patience):
            pass

    def receive(self, patience: Patience) -> bytes | None:
        """The next bytes; b"" at the end of the stream; None when the client should be kept alive first."""
        while True:
            try:
                return self._sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                direction = READ
            except ssl.SSLWantWriteError:
                direction = WRITE
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""
            if not self._waits.wait(direction, patience):
                return None

    @property
    def usable(self) -> bool:
        """Whether an idle connection can serve again: young, open, and without leftover bytes."""
        return time.monotonic() - self.idle_since < MAX_IDLE_SECONDS and not readable_now(self._sock)

    def close(self) -> None:
        self._waits.close()
        with contextlib.suppress(OSError):
            self._sock.close()


class Exchange:
    """One request and its answer. `head()` first, then `read()` until b""."""

    def __init__(self, pool: Pool, connection: Connection, patience: Patience, between_bytes: float) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._patience = patience
        self._between_bytes = between_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._head_complete = False
        self._complete = False
        self._surplus = False
        self._ends_with_connection = True
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []

    # What llhttp calls while it parses.
    def on_message_begin(self) -> None:
        self._surplus = self._surplus or self._head_complete

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_complete:
            return
        lowered = name.lower()
        if lowered in (b"content-length", b"transfer-encoding"):
            self._ends_with_connection = False
        self.headers.append((lowered.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if not self._head_complete:
            self.status = self._parser.get_status_code()
            self._head_complete = True

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = True

    def head(self) -> None:
        """Wait until the head is complete.

        Raises HeadPending when the client should be kept alive first, UpstreamTimeout, UpstreamBroken, ClientGone.
        """
        while not self._head_complete:
            data = self._receive()
            if data is None:
                raise HeadPending(self)
            self._head_bytes += len(data)
            if not data or (self._head_bytes > MAX_HEAD_BYTES and not self._head_complete):
                self._fail("The upstream closed the connection before it answered.")
            self._parse(data)
        if self.status < 200:
            # The real answer would follow and could reach the next client of this connection.
            self._fail("The upstream sent an interim answer that was not asked for.")

    def read(self) -> bytes | None:
        """The next bytes of the body, as soon as there are some; b"" at its end; None when the client should be kept
        alive first.

        Raises UpstreamTimeout, ClientGone, and UpstreamBroken if the body was cut.
        """
        if not self._body and not self._complete:
            self._patience.begin(self._between_bytes)
        while not self._body:
            if self._complete:
                self._release()
                return b""
            data = self._receive()
            if data is None:
                return None
            if data:
                self._parse(data)
            elif self._ends_with_connection:
                self._complete = self._surplus = True
            else:
                self._fail("The upstream closed the connection in the middle of its answer.")
        body, self._body = self._body, []
        return body[0] if len(body) == 1 else b"".join(body)

    def finish(self) -> None:
        """Read what stands behind the end of a message, so that the connection can serve again; a second at most."""
        self._between_bytes = FINISH_SECONDS
        with contextlib.suppress(ProxyError):
            while self.read():
                pass
        self.close()

    def _receive(self) -> bytes | None:
        if self._connection is None:
            return b""
        try:
            return self._connection.receive(self._patience)
        except OSError:
            self._fail("The connection to the upstream broke.")
        except BaseException:
            self.close()
            raise

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._complete:
                self._surplus = True
            else:
                self._fail("The upstream's answer is not valid HTTP.")

    def _fail(self, message: str) -> NoReturn:
        self.close()
        raise UpstreamBroken(message) from None

    def _release(self) -> None:
        """Give the connection back if another answer can follow on it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._surplus or not self._parser.should_keep_alive():
            connection.close()
        else:
            self._pool.put(connection)

    def close(self) -> None:
        """Let go of the connection; an answer that is not complete ends it."""
        if self._complete and not self._body:
            self._release()
        elif self._connection is not None:
            self._connection.close()
            self._connection = None


class Pool:
    """Idle connections to one address, the youngest used first."""

    def __init__(self, address: Address, connect_timeout: float) -> None:
        self._address = address
        self._connect_timeout = connect_timeout
        self._idle: deque[Connection] = deque(maxlen=1024)
        self._tls: ssl.SSLContext | None = None

    def put(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        if len(self._idle) == self._idle.maxlen:
            self._idle.popleft().close()
        self._idle.append(connection)

    def send(self, request: bytes, patience: Patience, first_byte: float, between_bytes: float) -> Exchange:
        """Send `request` on an idle connection or a new one.

        Raises UpstreamUnreachable if there is no connection, UpstreamTimeout, ClientGone.
        """
        for connection in self._connections():
            patience.begin(first_byte)
            exchange = Exchange(self, connection, patience, between_bytes)
            try:
                connection.send(request, patience)
            except NotSent:
                connection.close()
                continue
            except OSError:
                # The peer may have answered before it stopped reading, as a server does that refuses the body.
                pass
            except BaseException:
                connection.close()
                raise
            return exchange
        raise UpstreamUnreachable("The upstream closed each new connection at once.")

    def _connections(self) -> Iterator[Connection]:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.usable:
                yield connection
            else:
                connection.close()
        for _ in range(2):
            yield Connection(self._connect())

    def _connect(self) -> socket.socket:
        try:
            with _time_limit(self._connect_timeout):
                return self._opened()
        except (TimeoutError, _TookTooLong):
            raise UpstreamTimeout("Connecting to the upstream took too long.") from None
        except ssl.SSLError:
            raise UpstreamUnreachable("The upstream's TLS certificate or handshake was refused.") from None
        except OSError:
            raise UpstreamUnreachable("The upstream cannot be reached.") from None

    def _opened(self) -> socket.socket:
        address = self._address
        via = urlsplit(address.proxy) if address.proxy else None
        target = (via.hostname, via.port) if via else (address.host, address.port)
        sock = socket.create_connection(target, self._connect_timeout)  # type: ignore[arg-type]
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if address.scheme == "https":
                if via:
                    _open_tunnel(sock, address)
                sock = self._context().wrap_socket(sock, server_hostname=address.host)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._address.ca_file)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _open_tunnel(sock: socket.socket, address: Address) -> None:
    """CONNECT through an HTTP proxy. Raises OSError if it refuses."""
    where = f"[{address.host}]" if ":" in address.host else address.host
    sock.sendall(f"CONNECT {where}:{address.port} HTTP/1.1\r\nHost: {where}:{address.port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte: what follows the head belongs to TLS.
        byte = sock.recv(1)
        head += byte
        if not byte or len(head) > MAX_HEAD_BYTES:
            raise OSError
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError


class _TookTooLong(BaseException):
    """gevent's Timeout is a BaseException, so that no library swallows it."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """A limit for name lookup, connecting and TLS together; without gevent each step has its own."""
    if not gevent.monkey.is_module_patched("socket"):
        yield
        return
    with gevent.Timeout(seconds, _TookTooLong):
        yield
