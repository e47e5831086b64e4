"""One socket to the upstream: sends and receives without ever blocking longer than the exchange has patience."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time

from app.transport.patience import Patience
from app.transport.polling import ready_now
from app.transport.waiting import READ, WRITE, waits_on

READ_BYTES = 65536
SHORT_READ = 2048
"""An upstream that just wrote so little is likely to have written no more yet; one in full flow fills its reads."""
MAX_IDLE_SECONDS = 55.0
"""Common servers close an idle connection after 60 to 75 seconds."""


class NotSent(Exception):
    """Not one byte of the request was taken, so it may be sent again."""


class Connection:
    """A socket to the upstream, made not blocking; its exchanges come one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._waits = waits_on(sock)
        self._is_tls = False
        self._end: OSError | None = None
        """How TLS ended behind bytes that were still good; neither TLS nor the kernel is sure to tell it twice."""
        self._seems_empty = False
        """Whether it is better to wait before the next read than to find nothing and then wait."""
        self.idle_since = 0.0

    def connect(self, address: tuple[object, ...], patience: Patience) -> None:
        """Raises OSError if the peer refuses, UpstreamTimeout, ClientGone."""
        try:
            self._sock.connect(address)
        except BlockingIOError:
            self._wait(WRITE, patience)
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect failed")

    def start_tls(self, context: ssl.SSLContext, host: str, patience: Patience) -> None:
        """Raises ssl.SSLError if the certificate is not `host`'s, UpstreamTimeout, ClientGone."""
        tls = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock, self._is_tls = tls, True
        while True:
            try:
                tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._wait(READ, patience)
            except ssl.SSLWantWriteError:
                self._wait(WRITE, patience)

    def send(self, data: bytes, patience: Patience) -> None:
        """Raises NotSent if the peer is gone before the first byte, OSError if it goes later."""
        sent = 0
        while sent < len(data):
            try:
                taken = self._sock.send(memoryview(data)[sent:] if sent else data)
                sent += taken
                if not taken:  # how gevent's TLS says that the socket is full
                    self._wait(WRITE, patience)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(WRITE, patience)
            except ssl.SSLWantReadError:
                self._wait(READ, patience)
            except OSError:
                if not sent:
                    raise NotSent from None
                raise
        self._seems_empty = not self._is_tls

    def receive(self, patience: Patience, most: int = READ_BYTES) -> bytes | None:
        """The next bytes; b"" at the end of the stream; None when the client should be kept alive first."""
        if self._seems_empty and not self._waits.wait(READ, patience):
            return None
        while True:
            try:
                if self._end is not None:
                    raise self._end
                data = self._sock.recv(most)
                if self._is_tls and data:
                    return self._with_more_records(data, most)
                self._seems_empty = 0 < len(data) < SHORT_READ
                return data
            except (BlockingIOError, ssl.SSLWantReadError):
                direction = READ
            except ssl.SSLWantWriteError:
                direction = WRITE
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""
            if not self._waits.wait(direction, patience):
                return None

    def _with_more_records(self, first: bytes, most: int) -> bytes:
        """`first` and what else is there: a read of TLS gives one record, which may be no more than an event."""
        records, left = [first], most - len(first)
        self._seems_empty = False
        try:
            while left > 0:
                record = self._sock.recv(left)
                if not record:
                    raise ssl.SSLEOFError
                records.append(record)
                left -= len(record)
        except ssl.SSLWantReadError:
            # Nothing is left inside TLS, so the socket tells when there is more.
            self._seems_empty = True
        except ssl.SSLWantWriteError:
            pass
        except OSError as error:
            self._end = error
        return b"".join(records)

    def _wait(self, direction: int, patience: Patience) -> None:
        """As long as the request is not sent the client is not kept alive, so that an error keeps its status."""
        interval, patience.interval = patience.interval, None
        try:
            self._waits.wait(direction, patience)
        finally:
            patience.interval = interval

    @property
    def usable(self) -> bool:
        """Whether an idle connection can serve again: young, open, and without leftover bytes."""
        if self._end is not None or time.monotonic() - self.idle_since >= MAX_IDLE_SECONDS:
            return False
        return not ready_now(self._sock.fileno(), select.POLLIN)

    def close(self) -> None:
        self._waits.close()
        with contextlib.suppress(OSError):
            self._sock.close()
