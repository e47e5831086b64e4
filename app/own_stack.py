"""Calls that go deep, made by greenlets that live long."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from gevent import GreenletExit
from greenlet import greenlet

from app.transport.waiting import under_gevent

P = ParamSpec("P")
T = TypeVar("T")


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
