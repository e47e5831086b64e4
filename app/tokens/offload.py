"""CPU-bound work in gevent's native threads, so that the hub keeps serving."""

from collections.abc import Callable

import gevent
import gevent.lock
import gevent.monkey

# The hub's threads also resolve host names: counting must never take them all.
_SLOTS = gevent.lock.BoundedSemaphore(2)


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
    with _SLOTS:
        gevent.get_hub().threadpool.apply(task)
