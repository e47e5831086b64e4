"""The fast path to an environ gives what gunicorn's gives."""

from typing import Any

import pytest
from gunicorn.http import wsgi
from gunicorn.http.unreader import IterUnreader
from hypothesis import given

from app.current import InboundRequest
from app.server import environ
from app.server.environ import FIELDS, has_fast_path, plain_environ
from app.server.request import BoundedRequest

from .configuration import configuration
from .test_request import requests

CONFIG = configuration()
CLIENT, SERVER, SOCK = ("2001:db8::1", 40_000, 0, 0), ("::", 5000, 0, 0), object()


def request(head: bytes) -> BoundedRequest:
    return BoundedRequest(CONFIG, IterUnreader([head]), CLIENT)


def of_gunicorn(asked: BoundedRequest) -> dict[str, Any]:
    _, made = wsgi.create(asked, SOCK, CLIENT, SERVER, CONFIG)
    made.pop("wsgi.early_hints")
    made["wsgi.multithread"] = True  # which its gevent worker adds
    return dict(made)


def assert_the_same(asked: BoundedRequest) -> None:
    assert has_fast_path(asked, CLIENT, SERVER)
    ours, theirs = plain_environ(asked, SOCK, CLIENT, SERVER), of_gunicorn(asked)
    assert ours.pop(FIELDS) == InboundRequest(theirs, populate_request=False).header_values
    assert type(ours.pop("wsgi.errors")) is type(theirs.pop("wsgi.errors"))
    assert ours == theirs


@given(requests())
def test_it_is_the_environ_of_gunicorn(data: bytes) -> None:
    try:
        asked = request(data)
    except (Exception, StopIteration):
        return
    if asked.is_plain:
        assert_the_same(asked)


@pytest.mark.parametrize("target", ["/", "/a%2Fb%C3%A9/%zz?q=%20", "/a+b?", "/v1/models?limit=2&after_id=x"])
def test_targets_are_those_of_gunicorn(target: str) -> None:
    assert_the_same(request(f"GET {target} HTTP/1.1\r\nHost: a:1\r\nX-Api-Key: k\r\n\r\n".encode()))


@pytest.mark.parametrize("line", ["Content-Type:", "Content-Type: a/b", "Content-Length: 0", "Empty:", "X-Api-Key: k"])
def test_its_fields_are_the_headers_that_the_application_finds_in_it(line: str) -> None:
    asked = request(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
    if asked.is_plain:
        assert_the_same(asked)
    assert asked.is_plain == (line != "Content-Type:"), "an empty type is none"


def test_one_request_leaves_nothing_for_the_next() -> None:
    first = plain_environ(request(b"GET /1 HTTP/1.1\r\nX-Api-Key: k\r\n\r\n"), SOCK, CLIENT, SERVER)
    first["werkzeug.request"] = object()
    second = plain_environ(request(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), SOCK, CLIENT, SERVER)
    assert {"HTTP_X_API_KEY", "werkzeug.request"}.isdisjoint(second)


def test_a_unix_socket_and_a_prefix_are_left_to_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not has_fast_path(asked, "", SERVER)
    assert not has_fast_path(asked, CLIENT, "/run/gunicorn.sock")
    odd = request(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\nAccept: b\r\n\r\n")
    assert not has_fast_path(odd, CLIENT, SERVER)
    environ._constant.cache_clear()
    monkeypatch.setenv("SCRIPT_NAME", "/prefix")
    assert not has_fast_path(asked, CLIENT, SERVER)
    environ._constant.cache_clear()
