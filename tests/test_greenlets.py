"""A call on a stack of its own is the same call: its result, its errors, its context, and its end when it is killed."""

from contextvars import ContextVar

import gevent
import greenlet
import pytest
from gevent.event import Event

from app import greenlets
from app.errors import ShuttingDown
from app.greenlets import on_own_stack

_SERVED = ContextVar("served", default="nobody")


@pytest.fixture(autouse=True)
def _under_gevent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greenlets, "under_gevent", lambda: True)


def test_a_result_comes_back() -> None:
    assert on_own_stack(divmod, 7, 2) == (3, 1)
    assert on_own_stack(sorted, [1, 2], reverse=True) == [2, 1]


def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        on_own_stack(divmod, 7, 0)


def test_the_stack_is_another() -> None:
    assert on_own_stack(greenlet.getcurrent) is not greenlet.getcurrent()


def test_elsewhere_it_is_a_plain_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greenlets, "under_gevent", lambda: False)
    assert on_own_stack(greenlet.getcurrent) is greenlet.getcurrent()


def test_the_context_is_that_of_the_caller() -> None:
    token = _SERVED.set("somebody")
    try:
        assert on_own_stack(_SERVED.get) == "somebody"
    finally:
        _SERVED.reset(token)


def test_others_run_while_it_waits() -> None:
    ready = Event()
    waiting = gevent.spawn(on_own_stack, ready.wait, timeout=5)
    gevent.sleep(0)
    assert not waiting.ready()
    ready.set()
    assert waiting.get(timeout=5) is True


def _told() -> None:
    try:
        Event().wait()
    except gevent.GreenletExit:
        raise ShuttingDown from None


def test_who_waits_is_told_that_its_greenlet_is_killed() -> None:
    def outcome() -> type:
        try:
            on_own_stack(_told)
        except ShuttingDown as error:
            return type(error)
        raise AssertionError

    serving = gevent.spawn(outcome)
    gevent.sleep(0)
    serving.kill()
    assert serving.get() is ShuttingDown


def test_a_call_that_takes_no_notice_ends_with_its_greenlet() -> None:
    reached = []
    serving = gevent.spawn(lambda: reached.append(on_own_stack(Event().wait)))
    gevent.sleep(0)
    serving.kill()
    assert isinstance(serving.value, gevent.GreenletExit)
    assert reached == []
