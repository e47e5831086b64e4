"""One limit for everything that a block waits for, however many single waits it makes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import gevent

from app.greenlets import under_gevent


class TookTooLong(Exception):
    """gevent raises it out of whatever waits.

    An `Exception`, so that gunicorn sees that a body is not whole; no OSError, so that nothing takes it for a refusal.
    """


def time_limit(seconds: float) -> AbstractContextManager[object]:
    """Raises TookTooLong in the block after `seconds`. Without gevent there is no such limit, only each wait's own."""
    return gevent.Timeout(seconds, TookTooLong) if under_gevent() else nullcontext()
