"""A head read on the fast path is what gunicorn reads in it, and whatever is odd is gunicorn's to refuse."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from gunicorn.http import message, parser
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from app.server.request import BoundedRequest, RequestParser, asks_to_close, limits, plain_head

from .configuration import configuration

CONFIG = configuration()
PEER = ("192.0.2.7", 40_000)


class Plainly(message.Request):
    """gunicorn's own way with the same limits, which hears `close` in a list."""

    max_buffer_headers = BoundedRequest.max_buffer_headers

    def should_close(self) -> bool:
        return bool(super().should_close()) or asks_to_close(self.headers)


FIELDS = (
    "_expected_100_continue",
    "fragment",
    "headers",
    "method",
    "path",
    "peer_addr",
    "proxy_protocol_info",
    "query",
    "remote_addr",
    "req_number",
    "scheme",
    "trailers",
    "uri",
    "version",
)


def seen(kind: type[message.Request], pieces: Iterable[bytes], config: Any = CONFIG) -> Any:
    """All that can be known of a request: what it is, its body, and what is left for the next; or how it is refused."""
    unreader = IterUnreader(list(pieces))
    try:
        request = kind(config, unreader, PEER, 2)
        found = {name: getattr(request, name) for name in FIELDS} | {"closes": request.should_close()}
        return found | {"body": request.body.read(), "left": unreader.read()}
    except (Exception, StopIteration) as refusal:
        return type(refusal), str(refusal)


def is_plain(head: str, config: Any = CONFIG) -> bool:
    within = limits(config)
    return within is not None and plain_head(head.encode("latin-1"), within) is not None


HEAD = "POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"

ODD_LINES = (
    "Content-Length: 2",
    "Content-Length: +2",
    "Content-Length: 2, 2",
    "Content-Length: 0x2",
    "Content-Length: ²",
    "Content-Length:",
    "Content-Length : 2",
    "Content-Length\t: 2",
    " Content-Length: 2",
    "\tContent-Length: 2",
    "Content_Length: 2",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked",
    "transfer-encoding:\tchunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding : chunked",
    "TE: trailers",
    "Expect: 100-continue",
    "Expect: the unexpected",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Keep-Alive, Upgrade",
    "Connection: Content-Length",
    "Upgrade: h2c",
    "Host: b",
    "Host: a, b",
    "Content-Type: text/plain",
    "Content-Type: ",
    "X-Forwarded-For: 127.0.0.1",
    "X_Forwarded_For: 127.0.0.1",
    "X-Forwarded-Proto: https",
    "Script-Name: /a",
    "SCRIPT_NAME: /a",
    "No colon",
    ": no name",
    "Name: a\x00b",
    "Name: a\x7fb",
    "Name: a\rb",
    "Name: a\nContent-Length: 9",
    "Name: a\r Content-Length: 9",
    "Name: \xe9\x85",
    "N\xe4me: a",
    "Name: \t a\t b \t",
    "Name:",
    "!#$%&'*+.^`|~: a",
    "Name: " + "a" * 8190,
    "",
)
REQUEST_LINES = (
    "GET / HTTP/1.1",
    "GET /v1/models?limit=2&after_id= HTTP/1.1",
    "GET /a;b=c/%2e%2E/%zz?d=?/#e HTTP/1.1",
    "GET /a? HTTP/1.1",
    "GET //host/path HTTP/1.1",
    "GET /[::1]:x@y HTTP/1.1",
    "GET http://host/path HTTP/1.1",
    "GET * HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT host:443 HTTP/1.1",
    "GET path HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /\t HTTP/1.1",
    "GET /\xe9 HTTP/1.1",
    "GET /\x0b HTTP/1.1",
    "get / HTTP/1.1",
    "GE / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "GET / HTTP/1.0",
    "GET / HTTP/2.0",
    "GET / HTTP/1.1 ",
    "GET /",
    "",
    "PROXY TCP4 127.0.0.1 127.0.0.1 1 2",
    "GET /" + "a" * 8190 + " HTTP/1.1",
)
names = st.from_regex(r"[A-Za-z0-9-]{1,6}", fullmatch=True)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
targets = st.from_regex(r"/[!-.0->@-~][!-~]{0,12}", fullmatch=True)
any_text = st.text(st.characters(max_codepoint=255), max_size=6)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as they come, in which a few things may be as they should not be; and what follows it."""
    body = draw(st.binary(max_size=30))
    lines = [f"POST {draw(targets)} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}"]
    lines += draw(st.lists(st.builds("{}:{}".format, names, values), max_size=4, unique_by=str.lower))
    for kind in draw(st.lists(st.sampled_from(("line", "odd line", "text")), max_size=2)):
        place = draw(st.integers(1, len(lines)))
        if kind == "line":
            lines[0] = draw(st.sampled_from(REQUEST_LINES))
        elif kind == "odd line":
            lines.insert(place, draw(st.sampled_from(ODD_LINES)))
        else:
            cut = draw(st.integers(0, len(lines[place - 1])))
            lines[place - 1] = lines[place - 1][:cut] + draw(any_text) + lines[place - 1][cut:]
    head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return head.encode("latin-1") + body + draw(st.sampled_from((b"", b"GET / HTTP/1.1\r\n\r\n")))


@given(requests(), st.lists(st.integers(0, 200), max_size=3))
def test_what_is_read_is_what_gunicorn_reads(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places) if start < end]
    assert seen(BoundedRequest, pieces) == seen(Plainly, pieces)


@pytest.mark.parametrize("odd", ODD_LINES)
def test_an_odd_line_is_what_it_is_to_gunicorn(odd: str) -> None:
    for lines in (f"{HEAD}{odd}\r\n\r\n{{}}GET", f"POST / HTTP/1.1\r\n{odd}\r\nHost: a\r\n\r\n{{}}GET"):
        pieces = [lines.encode("latin-1")]
        assert seen(BoundedRequest, pieces) == seen(Plainly, pieces)


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_a_request_line_is_what_it_is_to_gunicorn(line: str) -> None:
    pieces = [f"{line}\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET".encode("latin-1")]
    assert seen(BoundedRequest, pieces) == seen(Plainly, pieces)


def test_what_clients_send_is_plain() -> None:
    assert is_plain(f"{HEAD}Connection: keep-alive\r\nAccept-Encoding: gzip, deflate\r\nX-Empty:\r\n\r\n{{}}")
    assert is_plain("GET /v1/models HTTP/1.1\r\nHost: a\r\nconnection: Close\r\n\r\n")


@pytest.mark.parametrize(
    "odd",
    [
        "Content-Length: 2",
        "Transfer-Encoding: chunked",
        "Content-Length : 2",
        " folded",
        "Content_Length: 3",
        "Connection: close, x",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Host: b",
        "Name: a\rb",
        "Name: a\x0bb",
        "Name: \xe9",
        f"{'Name' * 17}: long",
    ],
)
def test_what_could_be_read_in_two_ways_is_not_plain(odd: str) -> None:
    assert is_plain(f"{HEAD}\r\n{{}}")
    assert not is_plain(f"{HEAD}{odd}\r\n\r\n{{}}")


def test_the_limits_are_those_of_the_configuration() -> None:
    smaller = configuration(limit_request_line=40, limit_request_fields=4, limit_request_field_size=200)
    for head, plain in (
        (HEAD, True),
        (HEAD.replace("true", "a" * 20), False),
        (f"{HEAD}A: 1\r\n", True),
        (f"{HEAD}A: 1\r\nB: 2\r\n", False),
        (f"{HEAD}A: {'a' * 200}\r\n", False),
    ):
        assert is_plain(f"{head}\r\n{{}}", smaller) == plain
        pieces = [f"{head}\r\n{{}}".encode()]
        assert seen(BoundedRequest, pieces, smaller) == seen(Plainly, pieces, smaller)


@pytest.mark.parametrize(
    "changes",
    [
        {"proxy_protocol": True, "proxy_allow_ips": "*"},
        {"certfile": "a.pem"},
        {"secure_scheme_headers": {"X-FORWARDED-PROTO": "https"}, "forwarded_allow_ips": "*"},
    ],
)
def test_a_configuration_that_looks_further_into_heads_gets_them(changes: dict[str, Any]) -> None:
    config = configuration(**changes)
    head = f"{HEAD}X-Forwarded-Proto: https\r\n\r\n{{}}"
    assert not is_plain(head, config)
    assert seen(BoundedRequest, [head.encode()], config) == seen(Plainly, [head.encode()], config)


@pytest.mark.parametrize(("came", "awaited"), [("", 2), ("{", 2), ("{}", 0), ("{}GET", 0)])
def test_a_body_that_came_with_the_head_is_not_waited_for(came: str, awaited: int) -> None:
    asked = BoundedRequest(CONFIG, IterUnreader([f"{HEAD}\r\n{came}".encode(), b"}"]), PEER)
    assert asked.body.reader.length == awaited


def next_requests(kind: type[parser.Parser], data: bytes, read: int) -> list[Any]:
    """The requests on a connection whose application reads `read` bytes of each body."""
    found: list[Any] = []
    connection = kind(CONFIG, [data[:100], data[100:]], PEER)
    try:
        for request in connection:
            found.append((request.uri, request.body.read(read)))
    except Exception as refusal:
        found.append(type(refusal))
    return found


@pytest.mark.parametrize("read", [0, 1, 2, 3, 5000])
@pytest.mark.parametrize(
    "second", ["GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/9\r\n\r\n", "\r\n\r\nGET", "", "GET /2 HT"]
)
def test_the_next_request_begins_behind_the_body(read: int, second: str) -> None:
    first = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"
    chunked = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    for request in (first.format(2) + "{}", first.format(3000) + "a" * 3000, first.format(0), chunked):
        data = (request + second).encode()
        assert next_requests(RequestParser, data, read) == next_requests(parser.RequestParser, data, read)
    closing = first.replace("Host", "Connection: close\r\nHost").format(2) + "{}" + second
    assert [uri for uri, _ in next_requests(RequestParser, closing.encode(), read)] == ["/1"]


@pytest.mark.parametrize("said", ["TE, close", "Close,TE", "keep-alive , close", "TE\r\nConnection: close"])
def test_close_is_heard_among_other_options(said: str) -> None:
    """`TE, close` is what Perl's LWP sends."""
    assert seen(BoundedRequest, [f"{HEAD}TE: deflate\r\nConnection: {said}\r\n\r\n".encode()])["closes"]


@pytest.mark.parametrize("said", ["TE", "closed, x", "keep-alive, TE"])
def test_other_options_close_nothing(said: str) -> None:
    assert not seen(BoundedRequest, [f"{HEAD}Connection: {said}\r\n\r\n".encode()])["closes"]
