"""What an exchange waits for and how long: the client that must still be there, the deadline, the next keep-alive."""

from __future__ import annotations

import math
import socket
import time

from app.errors import UpstreamTimeout
from app.transport.polling import POLLRDHUP, ready_now


class Client:
    """The client's side of one request: its socket, or None, and when it was last written to."""

    __slots__ = ("socket", "written_at")

    def __init__(self, socket: socket.socket | None = None) -> None:
        self.socket = socket
        self.written_at = time.monotonic()

    def fileno(self) -> int:
        """The socket's descriptor; -1 once it is closed, or if there is none."""
        return self.socket.fileno() if self.socket is not None else -1

    def wrote(self) -> None:
        """Something goes to the client now, so it need not be kept alive for a while."""
        self.written_at = time.monotonic()

    def has_left(self) -> bool:
        """Whether the client has closed its side."""
        return self.fileno() >= 0 and ready_now(self.fileno(), POLLRDHUP)


class Patience:
    """What one exchange waits for, and how long.

    `deadline` and `latest` are `time.monotonic()` instants: the end of this wait, and of all waits together. Once
    `client` was not written to for `interval` seconds a wait ends, so that a stream can be kept alive (None: never).
    """

    __slots__ = ("client", "deadline", "interval", "latest")

    def __init__(self, client: Client | None = None, interval: float | None = None, latest: float = math.inf) -> None:
        self.client = client or Client()
        self.interval = interval
        self.latest = latest
        self.deadline = 0.0

    @property
    def idle_at(self) -> float:
        return self.client.written_at + self.interval if self.interval else math.inf

    def begin(self, seconds: float) -> None:
        """Start the clock: `seconds` until the deadline, or less if the time for all waits is up before.

        Raises UpstreamTimeout if it is up now: who always has one more byte to send is never waited for.
        """
        now = time.monotonic()
        self.deadline = min(now + seconds, self.latest)
        if now >= self.latest:
            raise self.timeout()

    def timeout(self) -> UpstreamTimeout:
        """What a wait that reached its deadline raises."""
        if self.deadline >= self.latest:
            return UpstreamTimeout("The upstream's answer took longer than UPSTREAM_TOTAL_TIMEOUT allows.")
        return UpstreamTimeout("The upstream did not answer in time; try again, or raise UPSTREAM_READ_TIMEOUT.")
