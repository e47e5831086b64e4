"""One answer as its bytes come: where it ends, what can follow on its connection, what is no answer at all."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from app.errors import UpstreamBroken, UpstreamTimeout
from app.transport.answer_parser import AnswerParser
from app.transport.connection import Connection
from app.transport.exchange import MAX_HEAD_BYTES, Exchange, HeadPending
from app.transport.patience import Patience

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHi"


class Answering:
    """An exchange, the upstream's end of its connection, and what was given back."""

    def __init__(self) -> None:
        ours, self.upstream = socket.socketpair()
        self.connection = Connection(ours)
        self.given_back: list[Connection] = []
        self.patience = Patience()
        self.patience.begin(5)
        self.exchange = Exchange(self.connection, self.patience, 5, self.given_back.append)

    def says(self, data: bytes, then_closes: bool = False) -> None:
        self.upstream.sendall(data)
        if then_closes:
            self.upstream.shutdown(socket.SHUT_WR)

    def floods(self, data: bytes) -> None:
        """A megabyte or more, for as long as it is read."""
        with contextlib.suppress(OSError):
            for _ in range(50):
                self.upstream.sendall(data)

    def body(self) -> bytes:
        """The whole answer's body."""
        self.exchange.head()
        body = b""
        while data := self.exchange.read():
            body += data
        assert data == b""
        return body

    @property
    def hung_up(self) -> bool:
        """Whether the upstream sees its connection closed."""
        self.upstream.settimeout(5)
        return self.upstream.recv(1) == b""


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.connection.close()
    made.upstream.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (WHOLE, b"Hi"),
        (CHUNKED + b"2\r\nHi\r\n4;x=y\r\n you\r\n0\r\n\r\n", b"Hi you"),
        (CHUNKED + b"2\r\nHi\r\n0\r\nTrailer: x\r\n\r\n", b"Hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (CHUNKED + b"2  \r\nHi\r\n04\t\r\n you\r\n0 \r\n\r\n", b"Hi you"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, b"Hi"),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + WHOLE, b"Hi"),
        (b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n" + CHUNKED + b"2\r\nHi\r\n0\r\n\r\n", b"Hi"),
    ],
)
def test_behind_a_whole_answer_the_connection_is_given_back(answering: Answering, answer: bytes, body: bytes) -> None:
    answering.says(answer)
    assert answering.body() == body
    assert answering.given_back == [answering.connection]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nHi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nHi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nHi\r\n0\r\n\r\n",
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n") + b"2\r\nHi\r\n0\r\n\r\n",
        WHOLE + b"HTTP/1.1 200 OK\r\n",
        WHOLE + b"\0",
    ],
)
def test_what_promises_no_clean_next_answer_ends_the_connection(answering: Answering, answer: bytes) -> None:
    answering.says(answer)
    assert answering.body() == b"Hi"
    assert not answering.given_back
    assert answering.hung_up


@pytest.mark.parametrize(
    "fields", [b"", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: identity\r\nContent-Length: 1\r\n"]
)
def test_without_a_length_the_body_lasts_as_long_as_the_connection(answering: Answering, fields: bytes) -> None:
    answering.says(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nHi", then_closes=True)
    assert answering.body() == b"Hi"
    assert not answering.given_back


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "before it answered"),
        (b"HTTP/1.1 200 OK\r\nContent-", "before it answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHi", "in the middle"),
        (CHUNKED + b"2\r\nHi\r\n", "in the middle"),
        (CHUNKED + b"2\r\nHi\r\nxx\r\n", "not valid HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "not valid HTTP"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "before it answered"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3000, "too many headers"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "status 101"),
        (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "status 99"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 6 + 1), "too many headers"),
    ],
)
def test_what_is_no_whole_answer_is_broken_and_ends_the_connection(
    answering: Answering, answer: bytes, told: str
) -> None:
    answering.says(answer, then_closes=True)
    with pytest.raises(UpstreamBroken, match=told):
        answering.body()
    assert not answering.given_back
    assert answering.hung_up


def test_headers_by_lower_case_name_and_none_from_the_trailer(answering: Answering) -> None:
    answering.says(CHUNKED.replace(b"text/plain", "caf\u00e9".encode("latin-1")) + b"0\r\nX-Late: 1\r\n\r\n")
    assert answering.body() == b""
    assert answering.exchange.status == 200
    assert dict(answering.exchange.headers) == {"content-type": "caf\u00e9", "transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("begun", "endless"), [(b"2;", b"x"), (b"0\r\n", b"x: y\r\n"), (b"0\r\nx: ", b"y"), (b"", b"0")]
)
def test_what_is_no_part_of_the_body_is_not_read_for_ever(answering: Answering, begun: bytes, endless: bytes) -> None:
    """The worker would do nothing else: who reads what is never late does not wait, and meets no deadline."""
    answering.says(CHUNKED + begun)
    writer = threading.Thread(target=answering.floods, args=(endless * 20_000,))
    writer.start()
    with pytest.raises(UpstreamBroken, match="too much"):
        answering.body()
    writer.join()


def test_an_interim_answer_leaves_nothing_behind(answering: Answering) -> None:
    answering.says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 5\r\n\r\n")
    answering.says(b"HTTP/1.1 200 OK\r\nX-Mine: 1\r\n\r\nHi", then_closes=True)
    assert answering.body() == b"Hi"
    assert answering.exchange.status == 200
    assert answering.exchange.headers == {"x-mine": "1"}


def test_a_silent_upstream_is_waited_for_again_once_the_client_is_kept_alive(answering: Answering) -> None:
    answering.patience.interval = 0.01
    with pytest.raises(HeadPending) as pending:
        answering.exchange.head()
    assert pending.value.exchange is answering.exchange
    answering.says(CHUNKED)
    answering.exchange.head()
    assert answering.exchange.read() is None
    answering.says(b"2\r\nHi\r\n")
    assert answering.exchange.read() == b"Hi"


def test_the_time_between_bytes_is_not_renewed_by_keeping_the_client_alive(answering: Answering) -> None:
    answering.exchange = Exchange(answering.connection, answering.patience, 0.05, answering.given_back.append)
    answering.patience.interval = 0.01
    answering.says(CHUNKED)
    answering.exchange.head()
    with pytest.raises(UpstreamTimeout):
        list(iter(answering.exchange.read, b""))
    assert answering.hung_up


def test_letting_go_in_the_middle_of_an_answer_ends_the_connection(answering: Answering) -> None:
    answering.says(CHUNKED + b"2\r\nHi\r\n")
    answering.exchange.head()
    assert answering.exchange.read() == b"Hi"
    answering.exchange.close()
    assert answering.hung_up
    answering.exchange.close()
    assert not answering.given_back


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_parser_does_not_care_where_the_bytes_are_cut(size: int) -> None:
    parser = AnswerParser()
    answer = CHUNKED + b"2\r\nHi\r\n4\r\n all\r\n0\r\n\r\n"
    for start in range(0, len(answer), size):
        parser.feed(answer[start : start + size])
    assert (parser.status, b"".join(parser.body), parser.complete, parser.reusable) == (200, b"Hi all", True, True)
