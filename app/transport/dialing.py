"""From an address to an open connection: name lookup, TCP, a proxy's tunnel and TLS, all within one deadline."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent.monkey

from app.errors import UpstreamTimeout, UpstreamUnreachable
from app.transport.connection import Connection, NotSent
from app.transport.patience import Patience
from app.transport.time_limit import TookTooLong, time_limit

MAX_TUNNEL_HEAD_BYTES = 65536
REFUSED_PAUSE_SECONDS = 0.1
"""A server that restarts refuses for a moment; a refused connection carried nothing, so it may be tried again."""
_new_socket: type[socket.socket] = gevent.monkey.get_original("socket", "socket")
"""Without what gevent adds so that others run while a socket blocks: a Connection's never does."""
_logger = logging.getLogger("anthropic_proxy")


@dataclass(frozen=True)
class Address:
    """Where the upstream is, and through which proxy. `ca_file` empty: the bundle that `requests` ships."""

    scheme: str
    host: str
    port: int
    ca_file: str
    proxy: str = ""


class Dialer:
    """Opens connections to one address."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None
        self._noted = ("", 0)
        self._family = socket.AF_UNSPEC

    def dial(self, patience: Patience) -> Connection:
        """A new connection. Raises UpstreamUnreachable, UpstreamTimeout, ClientGone."""
        patience.begin(self._timeout)
        try:
            try:
                return self._opened(patience)
            except ConnectionRefusedError:
                time.sleep(REFUSED_PAUSE_SECONDS)
                return self._opened(patience)
        except (UpstreamTimeout, TookTooLong, TimeoutError):
            self._note(f"no connection within {self._timeout:g} s")
            raise UpstreamTimeout("Connecting to the upstream took too long.") from None
        except ssl.SSLError as error:
            self._note(f"TLS: {getattr(error, 'verify_message', '') or error.reason or 'handshake failed'}")
            raise UpstreamUnreachable("The upstream's TLS certificate or handshake was refused.") from None
        except (OSError, NotSent) as error:
            self._note(_reason(error))
            raise UpstreamUnreachable("The upstream cannot be reached.") from None

    def _note(self, reason: str) -> None:
        """Tell the operator what no client is told; the same at most once a minute."""
        minute = (reason, int(time.monotonic() / 60))
        if minute != self._noted:
            self._noted = minute
            through = f" through {self._address.proxy}" if self._address.proxy else ""
            _logger.warning("The upstream %s:%d%s: %s", self._address.host, self._address.port, through, reason)

    def _opened(self, patience: Patience) -> Connection:
        address = self._address
        proxy = urlsplit(address.proxy) if address.proxy else None
        host, port = (proxy.hostname or "", proxy.port or 0) if proxy else (address.host, address.port)
        connection = self._connected(_looked_up(host, port, patience), patience)
        try:
            if address.scheme == "https":
                if proxy:
                    _open_tunnel(connection, address, patience)
                connection.start_tls(self._context(), address.host, patience)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connected(self, places: list[Any], patience: Patience) -> Connection:
        """A connection to the first of `places` that takes one. Raises the last one's OSError or UpstreamTimeout.

        Each gets its share of the time, and the family that last took one comes first: many networks drop IPv6, and
        the wait for an address that never answers must leave some for IPv4.
        """
        until = patience.deadline
        failure: Exception = OSError("the name has no address")
        places = sorted(places, key=lambda place: place[0] != self._family)
        for tried, place in enumerate(places):
            patience.begin((until - time.monotonic()) / (len(places) - tried))
            try:
                connection = _connection_to(place, patience)
            except (OSError, UpstreamTimeout) as error:
                failure = error
            else:
                self._family = place[0]
                patience.begin(until - time.monotonic())
                return connection
        raise failure

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._address.ca_file or None)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno)
    return getattr(error, "strerror", "") or str(error) or type(error).__name__


def _looked_up(host: str, port: int, patience: Patience) -> list[Any]:
    """What `getaddrinfo` knows; under gevent it waits in a thread, for no longer than `patience`."""
    with time_limit(patience.deadline - time.monotonic()):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _connection_to(place: Any, patience: Patience) -> Connection:
    family, kind, protocol, _, address = place
    sock = _new_socket(family, kind, protocol)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection = Connection(sock)
    try:
        connection.connect(address, patience)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_tunnel(connection: Connection, address: Address, patience: Patience) -> None:
    """CONNECT through an HTTP proxy. Raises OSError if it refuses."""
    where = f"[{address.host}]" if ":" in address.host else address.host
    connection.send(
        f"CONNECT {where}:{address.port} HTTP/1.1\r\nHost: {where}:{address.port}\r\n\r\n".encode(), patience
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte: what follows the head belongs to TLS.
        byte = connection.receive(patience, 1)
        head += byte or b""
        if byte == b"" or len(head) > MAX_TUNNEL_HEAD_BYTES:
            raise OSError("the proxy closed the connection")
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError("the proxy refused")
