"""A connection is served as by gunicorn's own worker, whatever its requests and the application do."""

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gunicorn import http
from gunicorn.http import message
from gunicorn.workers.ggevent import GeventWorker

from app.server.request import RequestParser
from app.server.worker import GracefulWorker

from .configuration import configuration

CONFIG = configuration()
Application = Callable[[dict[str, Any], Any], Any]
POST = b"POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
GET = b"GET /get?a=b HTTP/1.1\r\nHost: a\r\n\r\n"


class Socket:
    """The client's connection: what it sends piece by piece, what it gets, and how it ends."""

    def __init__(self, *pieces: bytes, gone_after: int = 1000) -> None:
        self.pieces = list(pieces)
        self.got = b""
        self.ended: list[str] = []
        self.gone_after = gone_after

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        if len(self.got) > self.gone_after:
            raise BrokenPipeError(32, "Broken pipe")
        self.got += bytes(data)

    def setblocking(self, blocking: bool) -> None:
        """Of no matter to this one."""

    def gettimeout(self) -> None:
        """It waits for ever."""

    def shutdown(self, how: int) -> None:
        self.ended.append("shut down" if how == socket.SHUT_RDWR else "half shut down")

    def close(self) -> None:
        self.ended.append("closed")

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 5000


class Log:
    """What was logged above the level of debugging."""

    access_log_enabled = False

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        if level in {"debug", "access"}:
            return lambda *said: None
        return lambda message, *values: self.lines.append(f"{level}: {message % values if values else message}")


class Pieces:
    """An answer's body; it remembers how often it was closed."""

    def __init__(self, *pieces: bytes, failure: BaseException | None = None) -> None:
        self.pieces = pieces
        self.failure = failure
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.failure:
            raise self.failure

    def close(self) -> None:
        self.closed += 1


def served(
    kind: type[GeventWorker], application: Application, client: Socket, alive: bool = True, **settings: Any
) -> Any:
    """What the client got, how its connection ended, and what was logged."""
    log = Log()
    worker = kind(1, os.getppid(), [], None, 60, configuration(**settings) if settings else CONFIG, log)
    worker.wsgi, worker.alive = application, alive
    try:
        worker.handle(Socket(), client, ("127.0.0.1", 40_000))
    finally:
        worker.tmp.close()
    return re.sub(rb"(?<=Date: )[^\r]+", b"now", client.got), set(client.ended), log.lines


def without_refusal(got: bytes, ended: set[str], logged: list[str]) -> Any:
    """The same with no more of a refused head than its status: what is said about it is ours (test_refusal.py)."""
    refused = re.compile(
        rb"(HTTP/1\.1 4\d\d [^\r]*\r\n)Connection: close\r\ncontent-type: .*", re.DOTALL | re.IGNORECASE
    )
    why = re.compile(r"(?<=Invalid request from ip=127\.0\.0\.1: )([^:(]*\b).*")
    return refused.sub(rb"\1", got), ended - {"half shut down"}, [why.sub(r"\1", line) for line in logged]


@pytest.fixture
def served_alike(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a client of ours gets; gunicorn's own worker gives its client the same."""

    def both(application: Application, *pieces: bytes, gone_after: int = 1000, **changes: Any) -> Any:
        expected = served(GeventWorker, application, Socket(*pieces, gone_after=gone_after), **changes)
        with monkeypatch.context() as patch:
            patch.setattr(http, "RequestParser", RequestParser)
            found = served(GracefulWorker, application, Socket(*pieces, gone_after=gone_after), **changes)
        assert without_refusal(*found) == without_refusal(*expected)
        return found

    return both


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    answer = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} ".encode() + body
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


@pytest.mark.parametrize(
    "pieces",
    [
        (POST, GET),
        (POST + GET + POST,),
        (POST[:30], POST[30:-1], POST[-1:] + GET),
        (POST.replace(b"Host", b"Connection: close\r\nHost"), GET),
        (POST.replace(b"1.1", b"1.0"), GET),
        (POST.replace(b"Content-Length: 2", b"Expect: 100-continue\r\nContent-Length: 2"), GET),
        (POST.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")[:-2] + b"2\r\n{}\r\n0\r\n\r\n", GET),
        (GET.replace(b"GET", b"HEAD", 1), GET),
        (GET, POST.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 3"), GET),
        (GET, b"nonsense\r\n\r\n"),
        (),
    ],
)
def test_requests_of_a_connection_are_answered_one_after_the_other(
    served_alike: Callable[..., Any], pieces: tuple[bytes, ...]
) -> None:
    served_alike(echo, *pieces)


def test_a_request_has_all_its_attributes_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a response has, whose test says why."""
    found: list[tuple[set[str], message.Request]] = []

    class Noted(RequestParser):
        def __next__(self) -> message.Request:
            found.append((set(), super().__next__()))
            found[-1][0].update(vars(found[-1][1]))
            return found[-1][1]

    monkeypatch.setattr(http, "RequestParser", Noted)
    served(GracefulWorker, echo, Socket(POST))
    assert [set(vars(asked)) for _, asked in found] == [first for first, _ in found]


def test_a_body_that_nobody_read_is_no_request(served_alike: Callable[..., Any]) -> None:
    def careless(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    smuggled = b"GET /smuggled HTTP/1.1\r\n\r\n"
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(smuggled), smuggled)
    got, _, _ = served_alike(careless, first, GET)
    assert got.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("length", [(), (("Content-Length", "9"),)])
@pytest.mark.parametrize(
    "pieces", [Pieces(b"one", b"", b"two"), Pieces(), Pieces(b"one", failure=ValueError("after the head"))]
)
def test_answers_in_pieces(
    served_alike: Callable[..., Any], pieces: Pieces, length: tuple[tuple[str, str], ...]
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Pieces:
        start_response("200 OK", [("Content-Type", "text/plain"), *length])
        return pieces

    pieces.closed = 0
    _, ended, logged = served_alike(application, GET)
    assert pieces.closed == 2
    assert ended == {"closed", "shut down"} if pieces.failure else {"closed"}
    assert logged == (["exception: Error handling request"] if pieces.failure else [])


@pytest.mark.parametrize("failure", [ValueError("ours"), OSError(5, "a disk"), BrokenPipeError(32, "left")])
def test_a_failure_before_the_head(served_alike: Callable[..., Any], failure: Exception) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        raise failure

    served_alike(application, GET, GET)


def test_a_header_that_would_bring_another_is_a_500(served_alike: Callable[..., Any]) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("X-Name", "a\r\nSet-Cookie: b")])

    got, _, _ = served_alike(application, GET, GET)
    assert got.startswith(b"HTTP/1.1 500 ")
    assert b"Set-Cookie" not in got


def test_a_stream_holds_neither_its_environ_nor_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RequestParser", RequestParser)
    gone: list[bytes] = []
    seen: list[list[bytes]] = []

    class Piece(bytes):
        def __del__(self) -> None:
            gone.append(bytes(self))

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        environ["test.marker"] = Piece(b"environ")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return stream()

    def stream() -> Iterator[bytes]:
        for text in (b"one", b"two"):
            yield Piece(text)
            seen.append([*gone])
            assert sys._getframe(2).f_locals["req"].fields == {}

    got, _, _ = served(GracefulWorker, application, Socket(GET))
    assert b"one" in got
    assert seen == [[b"environ", b"one"], [b"environ", b"one", b"two"]]


def test_a_client_that_leaves(served_alike: Callable[..., Any]) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Pieces:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return pieces

    pieces = Pieces(*[b"a" * 100] * 20)
    served_alike(application, GET, gone_after=900)
    assert pieces.closed == 2


def test_a_worker_that_stops_answers_and_closes(served_alike: Callable[..., Any]) -> None:
    got, _, _ = served_alike(echo, POST, GET, alive=False)
    assert got.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in got


def test_a_worker_that_is_to_be_recycled_answers_and_closes(served_alike: Callable[..., Any]) -> None:
    got, _, logged = served_alike(echo, POST, GET, GET, max_requests=2)
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert logged == ["info: Autorestarting worker after current request."]


def test_without_keepalive_a_connection_is_for_one_request(served_alike: Callable[..., Any]) -> None:
    got, _, _ = served_alike(echo, POST, GET, keepalive=0)
    assert got.count(b"HTTP/1.1 200 OK") == got.count(b"Connection: close") == 1


def test_an_access_log_is_written_where_one_is_asked_for(
    served_alike: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Log, "access_log_enabled", True)
    monkeypatch.setattr(Log, "access", lambda log, response, *about: asked.append(response.status), raising=False)
    served_alike(echo, POST, GET)
    assert asked == ["200 OK"] * 4


def test_a_process_begins_with_its_own_parser_and_no_record_of_spawns(monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent takes any name for a setting and would say nothing if it had none of this one."""
    monkeypatch.setattr(http, "RequestParser", http.RequestParser)
    monkeypatch.setattr(gevent.config, "track_greenlet_tree", True)
    monkeypatch.setattr(GeventWorker, "init_process", lambda worker: None)
    recorded = gevent.spawn(id, 0)
    worker = GracefulWorker(1, os.getppid(), [], None, 60, CONFIG, Log())
    worker.tmp.close()
    worker.init_process()
    unrecorded = gevent.spawn(id, 0)
    gevent.joinall([recorded, unrecorded])
    assert http.RequestParser is RequestParser
    assert recorded.spawning_stack is not None
    assert unrecorded.spawning_stack is None


def test_a_killed_request_is_followed_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RequestParser", RequestParser)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        raise gevent.GreenletExit

    assert served(GracefulWorker, application, Socket(GET, GET)) == (b"", {"closed"}, [])
