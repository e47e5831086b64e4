"""How a greenlet that never has to wait lets the others of its worker run."""

from __future__ import annotations

import time

import gevent
from gevent import GreenletExit

from app.errors import ShuttingDown
from app.greenlets import under_gevent

BREATH_SECONDS = 0.02


class Breath:
    """When the greenlets of this worker last had their turn."""

    taken_at = 0.0

    def is_due(self) -> bool:
        return time.monotonic() - self.taken_at > BREATH_SECONDS

    def take(self) -> None:
        """Wait for the next turn of gevent's loop, in which it asks what every socket is ready for.

        `gevent.sleep(0)` is no such turn: it is a callback, of which the loop runs a thousand, those that the first
        ones leave behind included, before it asks for anything else.
        """
        hub = gevent.get_hub()
        timer = hub.loop.timer(0)
        try:
            hub.wait(timer)
        finally:
            timer.close()
        self.taken_at = time.monotonic()


BREATH = Breath()
"""This worker's. Whatever else waits, and so lets the others run, says so here."""


def breathe() -> None:
    """Let others run. Who reads a peer that is never silent would not wait once, and stop the whole worker.

    Raises ShuttingDown when gevent kills the greenlet meanwhile.
    """
    if BREATH.is_due() and under_gevent():
        try:
            BREATH.take()
        except GreenletExit:
            raise ShuttingDown from None
