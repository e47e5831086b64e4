"""CPU-bound work in gevent's native threads, so that the hub keeps serving."""

from collections.abc import Callable
from functools import cache

import gevent.monkey
from gevent.threadpool import ThreadPool

THREADS = 2


def is_gevent_worker() -> bool:
    """Whether blocking here would block other requests: true once gevent has patched the process."""
    return bool(gevent.monkey.is_module_patched("threading"))


def run(task: Callable[[], object]) -> None:
    """Run `task`; under gevent in a native thread, other greenlets run meanwhile.

    `task` keeps its result to itself and must not raise: gevent prints the traceback of a task that does.
    """
    if not is_gevent_worker():
        task()
        return
    _threads().apply(task)


@cache
def _threads() -> ThreadPool:
    """Not the hub's: those look host names up, and a name server that does not answer holds them all for a while."""
    return ThreadPool(THREADS)
