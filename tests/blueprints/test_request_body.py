"""The body of a request over werkzeug's own server, and what is left of one that is refused."""

from typing import Any

import pytest
from gunicorn.http.body import Body
from gunicorn.http.errors import InvalidHeader, NoMoreData
from gunicorn.http.unreader import IterUnreader

from app.blueprints import request_body
from app.blueprints.request_body import Discard
from app.current import InboundRequest
from app.server.request import BoundedRequest
from tests.server.configuration import configuration


class Reader:
    """Stands where gunicorn's readers stand: gives `size` bytes, then ends or raises `error`."""

    def __init__(self, size: int, error: Exception | None = None) -> None:
        self.left = size
        self.error = error

    def read(self, size: int) -> bytes:
        if not self.left and self.error is not None:
            raise self.error
        taken = min(size, self.left)
        self.left -= taken
        return b"x" * taken


def discarded(reader: Any, limit: int = 1_000_000) -> Body:
    body = Body(reader)
    Discard(body, limit, 5)()
    return body


def test_a_body_that_ends_leaves_the_connection_usable() -> None:
    reader = Reader(900_000)
    assert not discarded(reader).failed
    assert reader.left == 0


@pytest.mark.parametrize("error", [NoMoreData(), InvalidHeader("a"), TimeoutError()])
def test_a_body_that_cannot_be_read_ends_the_connection(error: Exception) -> None:
    assert discarded(Reader(10, error)).failed


def test_a_body_that_does_not_end_ends_the_connection() -> None:
    reader = Reader(10_000_000)
    assert discarded(reader).failed
    assert reader.left > 8_000_000


def test_a_body_whose_reading_failed_is_not_read_on() -> None:
    reader = Reader(1000)
    body = Body(reader)
    body.failed = True
    Discard(body, 1000, 5)()
    assert reader.left == 1000


@pytest.mark.parametrize(
    ("fields", "came", "here"),
    [
        ("Content-Length: 2", "{}", True),
        ("Content-Length: 2", "{", False),
        ("Content-Length: 2\r\nExpect: 100-continue", "{}", False),
        ("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", False),
    ],
)
def test_only_a_body_that_is_here_is_read_without_a_time_limit(fields: str, came: str, here: bool) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{came}"
    body = BoundedRequest(configuration(), IterUnreader([head.encode(), b"}"]), ("127.0.0.1", 40_000)).body
    asked = InboundRequest({"wsgi.input": body}, populate_request=False)
    assert request_body._is_here(asked) == here
