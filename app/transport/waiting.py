"""How one exchange waits for its upstream: until bytes come, a deadline passes, or the client leaves.

Under gevent no wait starts a timer of its own: one timer a worker sweeps all exchanges that wait, twice a second,
and polls their client sockets in one system call. Elsewhere (`flask run`, tests) a wait is one `poll` of both sockets.
"""

from __future__ import annotations

import select
import socket
import time
from typing import Any, Protocol

import gevent
from gevent import GreenletExit
from gevent.hub import Waiter

from app.breath import BREATH
from app.errors import ClientGone, ShuttingDown
from app.greenlets import under_gevent
from app.transport.patience import Patience
from app.transport.polling import POLLRDHUP, new_poll, ready_now

SWEEP_SECONDS = 0.5
READ, WRITE = 1, 2
"""What gevent's `loop.io` calls them."""
_POLLED = {READ: select.POLLIN, WRITE: select.POLLOUT}
READY, IDLE, TIMED_OUT, GONE = "ready", "idle", "timed out", "gone"


class Waits(Protocol):
    """Waits on one socket; made once for each upstream connection."""

    def wait(self, direction: int, patience: Patience) -> bool:
        """True once the socket is ready, False when the client should be kept alive.

        Raises UpstreamTimeout at the deadline, ClientGone when the client left, ShuttingDown when gevent kills it.
        """

    def close(self) -> None: ...


def waits_on(sock: socket.socket) -> Waits:
    """The way of waiting that suits this process."""
    return _HubWaits(sock.fileno()) if under_gevent() else _PollWaits(sock.fileno())


def _verdict(outcome: str, patience: Patience) -> bool:
    if outcome == READY:
        return True
    if outcome == IDLE:
        patience.client.wrote()
        return False
    if outcome == GONE:
        raise ClientGone
    raise patience.timeout()


class _PollWaits:
    """Blocks the thread in `poll`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def wait(self, direction: int, patience: Patience) -> bool:
        poller = select.poll()
        poller.register(self._fd, _POLLED[direction])
        client = patience.client.fileno()
        if client >= 0:
            poller.register(client, POLLRDHUP)
        until = min(patience.deadline, patience.idle_at)
        ready = dict(poller.poll(max(0.0, until - time.monotonic()) * 1000))
        if self._fd in ready:
            return True
        if client in ready:
            return _verdict(GONE, patience)
        return _verdict(TIMED_OUT if time.monotonic() >= patience.deadline else IDLE, patience)

    def close(self) -> None:
        pass


class _HubWaits:
    """Parks the greenlet on a gevent watcher; that for reading lives as long as the connection."""

    __slots__ = ("_fd", "_reader")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._reader: Any = gevent.get_hub().loop.io(fd, READ)

    def wait(self, direction: int, patience: Patience) -> bool:
        watcher = self._reader if direction == READ else gevent.get_hub().loop.io(self._fd, direction)
        waiter: Any = Waiter()
        watcher.start(waiter.switch, READY)
        _sweep.add(patience, waiter)
        try:
            outcome = waiter.get()
        except GreenletExit:
            raise ShuttingDown from None
        finally:
            watcher.stop()
            if direction == WRITE:
                watcher.close()
            del _sweep.waiting[patience]
            BREATH.taken_at = time.monotonic()
        if outcome == TIMED_OUT and ready_now(self._fd, _POLLED[direction]):
            return True  # this worker was busy, not the upstream silent
        return True if outcome == READY else _verdict(outcome, patience)

    def close(self) -> None:
        self._reader.close()


class _Sweep:
    """Wakes the waits whose deadline passed, whose client left, or whose stream must be kept alive."""

    def __init__(self) -> None:
        self.waiting: dict[Patience, Any] = {}
        """Each with gevent's Waiter, by which it is woken."""
        self._timer: Any = None

    def add(self, patience: Patience, waiter: Any) -> None:
        self.waiting[patience] = waiter
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(SWEEP_SECONDS, SWEEP_SECONDS)
            self._timer.start(self._run)

    def _run(self) -> None:
        """Runs in the hub, so a switch resumes the waiting greenlet at once."""
        if not self.waiting:
            self._timer.close()
            self._timer = None
            return
        now = time.monotonic()
        clients: dict[int, Patience] = {}
        for patience in list(self.waiting):
            if now >= patience.deadline:
                self._wake(patience, TIMED_OUT)
            elif now >= patience.idle_at:
                self._wake(patience, IDLE)
            elif (fd := patience.client.fileno()) >= 0:
                clients[fd] = patience
        self._wake_the_left(clients)

    def _wake_the_left(self, clients: dict[int, Patience]) -> None:
        poller = new_poll()
        for fd in clients:
            poller.register(fd, POLLRDHUP)
        for fd, _ in poller.poll(0):
            self._wake(clients[fd], GONE)

    def _wake(self, patience: Patience, outcome: str) -> None:
        """Unless its wait has ended meanwhile: the greenlets woken before this one ran in between."""
        if patience in self.waiting:
            self.waiting[patience].switch(outcome)


_sweep = _Sweep()
