"""What goes out: every header checked, the head in one piece with what follows it."""

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http import wsgi
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from hypothesis import given
from hypothesis import strategies as st

from app.server.response import OneWriteResponse

from .configuration import configuration

CONFIG = configuration()


class Narrow:
    """A socket that takes three bytes at a time, as a full buffer does."""

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: Any) -> int:
        self.sent += bytes(data[:3])
        return min(3, len(data))

    def sendall(self, data: Any) -> None:
        self.sent += bytes(data)


def request(method: str = "GET") -> Any:
    return SimpleNamespace(version=(1, 1), method=method, should_close=lambda: False)


def test_what_the_socket_does_not_take_at_once_follows() -> None:
    response = OneWriteResponse(request(), Narrow(), CONFIG)
    response.start_response("200 OK", [("content-type", "text/event-stream")])
    response.write(b"data: 1\n\n")
    response.close()
    head, _, body = response.sock.sent.partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nTransfer-Encoding: chunked\r\ncontent-type: text/event-stream")
    assert body == b"9\r\ndata: 1\n\n\r\n0\r\n\r\n"


def test_no_attribute_comes_late() -> None:
    """Responses share the names of their attributes; where some come late, and many are open, each has its own."""
    response = OneWriteResponse(request(), Narrow(), CONFIG)
    first = set(vars(response))
    response.start_response("200 OK", [("content-type", "text/plain")])
    response.write(b"one")
    response.close()
    assert set(vars(response)) == first


def kept(kind: type[wsgi.Response], status: str, headers: list[tuple[str, str]], method: str) -> Any:
    """What a response makes of its headers."""
    response = kind(request(method), Narrow(), CONFIG)
    try:
        response.start_response(status, headers)
    except Exception as refusal:
        return type(refusal), str(refusal)
    return response.headers, response.response_length, response.chunked, response.should_close()


names = st.sampled_from(
    ("Content-Type", "content-length", "Content-Length", "Connection", "upgrade", "TE", "Keep-Alive", "X-A", "a b", "")
)
values = st.sampled_from(
    ("1", " 12 ", "\t3", "a b", "websocket", "Upgrade", "", "é", "a\r\nB: c", "a\nb", "\x00", "a\tb")
)
headers = st.lists(st.tuples(names | st.text(max_size=3), values | st.text(max_size=3)), max_size=4)


@given(st.sampled_from(("200 OK", "204 No Content", "304 Not Modified")), headers, st.sampled_from(("GET", "HEAD")))
def test_headers_are_taken_and_refused_as_gunicorn_does(
    status: str, headers: list[tuple[str, str]], method: str
) -> None:
    assert kept(OneWriteResponse, status, headers, method) == kept(wsgi.Response, status, headers, method)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00", "a\x7f", "a\u2028b"])
def test_no_header_can_bring_another(value: str) -> None:
    with pytest.raises(InvalidResponseHeader):
        OneWriteResponse(request(), Narrow(), CONFIG).start_response("200 OK", [("x-request-id", value)])
    with pytest.raises(InvalidResponseHeaderName):
        OneWriteResponse(request(), Narrow(), CONFIG).start_response("200 OK", [(f"x-{value}", "a")])
