"""Idle connections to the upstream, and the rule about which request may be sent again."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from typing import Any

import gevent

from app.errors import UpstreamUnreachable
from app.greenlets import under_gevent
from app.transport.connection import Connection, NotSent
from app.transport.dialing import Dialer
from app.transport.exchange import Exchange
from app.transport.patience import Patience

MAX_IDLE = 1024
NEW_CONNECTIONS = 2
"""How many new connections one request may try: some upstreams close one before it can be used."""
TIDY_SECONDS = 5.0


class Pool:
    """Connections to one address, the youngest used first."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._idle: dict[Connection, None] = {}
        weakref.finalize(self, _close_all, self._idle)
        self._timer: Any = None

    def send(self, request: bytes, patience: Patience, first_byte: float, between_bytes: float) -> Exchange:
        """Send `request` on an idle connection or a new one; again only if not a byte of it was taken.

        Raises UpstreamUnreachable if there is no connection, UpstreamTimeout, ClientGone.
        """
        for connection in self._connections(patience):
            try:
                patience.begin(first_byte)
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
            return Exchange(connection, patience, between_bytes, self._put)
        raise UpstreamUnreachable("The upstream closed each new connection at once.")

    def _connections(self, patience: Patience) -> Iterator[Connection]:
        while (connection := self._youngest()) is not None:
            if connection.usable:
                yield connection
            else:
                connection.close()
        for _ in range(NEW_CONNECTIONS):
            yield self._dialer.dial(patience)

    def _youngest(self) -> Connection | None:
        # Not asked first whether there is one: elsewhere than under gevent, another thread may take it in between.
        try:
            return self._idle.popitem()[0]
        except KeyError:
            return None

    def _put(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle[connection] = None
        if len(self._idle) > MAX_IDLE:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.close()
        if self._timer is None and under_gevent():
            self._timer = gevent.get_hub().loop.timer(TIDY_SECONDS, TIDY_SECONDS)
            self._timer.start(self._tidy)

    def _tidy(self) -> None:
        """Close what the upstream has closed or what grew too old; after a burst nobody else would come upon it."""
        for connection in [connection for connection in self._idle if not connection.usable]:
            del self._idle[connection]
            connection.close()
        if not self._idle:
            self._timer.close()
            self._timer = None


def _close_all(connections: dict[Connection, None]) -> None:
    """A pool that is let go of takes its idle connections with it."""
    while connections:
        connections.popitem()[0].close()
