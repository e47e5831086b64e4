"""CPU-bound work in gevent's native threads, so that the hub keeps serving."""

from collections.abc import Callable
from functools import cache

from gevent.threadpool import ThreadPool

from app.greenlets import under_gevent

THREADS = 2


def run(task: Callable[[], object]) -> None:
    """Run `task`; under gevent in a native thread, other greenlets run meanwhile.

    `task` keeps its result to itself and must not raise: gevent prints the traceback of a task that does.
    """
    if not under_gevent():
        task()
        return
    _threads().apply(task)


@cache
def _threads() -> ThreadPool:
    """Not the hub's: those look host names up, and a name server that does not answer holds them all for a while."""
    return ThreadPool(THREADS)
