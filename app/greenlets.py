"""Whether greenlets serve the requests of this process, and a stack of their own for calls that go deep."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import cache
from typing import ParamSpec, TypeVar

import gevent.monkey
from gevent import GreenletExit
from greenlet import greenlet

P = ParamSpec("P")
T = TypeVar("T")


@cache
def under_gevent() -> bool:
    """Whether a call that blocks the thread would block other requests; a process is patched before it loads this."""
    return bool(gevent.monkey.is_module_patched("socket"))


def on_own_stack(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """`call(*args, **options)`, on a stack that is given back when it returns.

    CPython takes the memory for Python frames in pages, one stack for each greenlet, and keeps every page that was ever
    used until the greenlet ends. A call that goes deep would cost a greenlet that waits for minutes 4 KB or more.
    """
    if not under_gevent():
        return call(*args, **options)
    other = greenlet(call)
    other.gr_context = copy_context()
    try:
        result: T | GreenletExit = other.switch(*args, **options)
    except GreenletExit as killed:
        # What ends this greenlet is for the call to act upon: it is the one that waits.
        result = other.throw(killed)
    if isinstance(result, GreenletExit):
        raise result
    return result
