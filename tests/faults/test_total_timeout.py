"""What never ends and is never silent: only UPSTREAM_TOTAL_TIMEOUT ends it."""

from collections.abc import Iterator

import pytest

from .conftest import start
from .gunicorn_server import GunicornServer
from .raw_client import KINDS
from .raw_upstream import RawUpstream
from .test_upstream_faults import SLACK, ask_all, assert_serves, checked_error, error_of, events_of

TOTAL_TIMEOUT = 1.0


@pytest.fixture(scope="module")
def hurried_server(upstream: RawUpstream) -> Iterator[GunicornServer]:
    yield from start(
        UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}",
        UPSTREAM_READ_TIMEOUT=10,
        UPSTREAM_TOTAL_TIMEOUT=TOTAL_TIMEOUT,
        KEEPALIVE_INTERVAL=0.3,
    )


def test_an_answer_without_end_ends_in_time(hurried_server: GunicornServer, upstream: RawUpstream) -> None:
    endless = ("dribbled-head", "dribbled-body", "endless-pings", "talkative", "silence")
    for path, stream, model, reply in ask_all(hurried_server, *endless):
        assert reply.seconds < TOTAL_TIMEOUT + SLACK, model
        if stream:
            error = checked_error(events_of(reply)[-1], path)
        else:
            assert reply.status == 504, model
            error = error_of(reply, path)
        assert "UPSTREAM_TOTAL_TIMEOUT" in error["message"], model
        (call,) = upstream.calls_of(model)
        assert call.left.wait(1), model
    for path, stream in KINDS:
        assert_serves(hurried_server, path, stream)
