"""What a socket is ready for at this moment; never waits, under gevent neither."""

from __future__ import annotations

import select

import gevent.monkey

POLLRDHUP = getattr(select, "POLLRDHUP", select.POLLHUP)
"""The peer closed its side; unlike a readable socket it does not mean that more was sent."""
new_poll = gevent.monkey.get_original("select", "poll")
"""gevent takes `select.poll` away; polling without a timeout cannot block, so the original serves."""


def ready_now(fd: int, events: int) -> bool:
    """Whether the descriptor is ready for one of `events`, a mask of select.POLL*, or broken."""
    poller = new_poll()
    poller.register(fd, events)
    return bool(poller.poll(0))
