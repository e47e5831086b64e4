"""One HTTP/1.1 request to the upstream and its answer, read as it comes.

llhttp (httptools) parses; an answer it finds malformed is UpstreamBroken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NoReturn

import gevent
import httptools

from app.errors import ProxyError, UpstreamBroken
from app.greenlets import under_gevent
from app.transport.connection import Connection
from app.transport.patience import Patience

MAX_HEAD_BYTES = 65536
MAX_FRAMING_BYTES = 65536
"""Of chunk sizes, chunk extensions and trailers between two bytes of the body."""
_INTERIM = {100, *range(102, 200)}
"""Statuses behind which the answer follows: a client must take any number of them, asked for or not (RFC 9110, 15.2).
Behind 101 comes another protocol."""
FINISH_SECONDS = 1.0
FINISH_BYTES = 65536


class HeadPending(Exception):
    """The request is sent and the answer has not begun; `exchange.head()` goes on waiting for it."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange


class AnswerParser:
    """Bytes -> status, headers and body of one answer, and whether another may follow on its connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._surplus = False
        self._keeps_alive = False
        self.status = 0
        self.headers: dict[str, str] = {}
        """By lower-case name; of several equal ones the last."""
        self.body: list[bytes] = []
        self.head_complete = False
        self.complete = False
        self.ends_with_connection = True
        """No length was announced: the body is all that comes until the upstream closes."""

    def feed(self, data: bytes) -> None:
        """Raises httptools.HttpParserError; what is wrong behind the end of the answer is only remembered."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise
            self._surplus = True

    def close(self) -> None:
        """Nothing more is fed. llhttp's parser holds this one: they would wait for the garbage collector."""
        del self._parser

    def end(self) -> None:
        """The connection ended, and with it an answer without length."""
        self.complete = self._surplus = True

    @property
    def reusable(self) -> bool:
        return self.complete and not self._surplus and self._keeps_alive

    # What llhttp calls while it parses.
    def on_message_begin(self) -> None:
        self._surplus = self._surplus or self.head_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_complete:
            return
        lowered = name.lower()
        if lowered in (b"content-length", b"transfer-encoding"):
            self.ends_with_connection = False
        self.headers[lowered.decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.head_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status in _INTERIM:
            self.headers.clear()
            self.ends_with_connection = True
        else:
            self.head_complete = True

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body.append(data)

    def on_message_complete(self) -> None:
        if self.head_complete and not self.complete:
            # Afterwards llhttp has forgotten what the answer to this depends on, and says no.
            self._keeps_alive = self._parser.should_keep_alive()
            self.complete = True


class Exchange:
    """A request that is sent, and its answer: `head()` first, then `read()` until b"".

    `give_back` takes the connection when another exchange can follow on it.
    """

    def __init__(
        self, connection: Connection, patience: Patience, between_bytes: float, give_back: Callable[[Connection], None]
    ) -> None:
        self._connection: Connection | None = connection
        self._patience = patience
        self._between_bytes = between_bytes
        self._give_back = give_back
        self._parser = AnswerParser()
        self._head_bytes = 0
        self._waits_for_more = False
        self._left_behind = False

    @property
    def status(self) -> int:
        return self._parser.status

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""
        return self._parser.headers

    def head(self) -> None:
        """Wait until the head is complete.

        Raises HeadPending when the client should be kept alive first, UpstreamTimeout, UpstreamBroken, ClientGone.
        """
        parser = self._parser
        while not parser.head_complete:
            data = self._receive()
            if data is None:
                raise HeadPending(self)
            if not data:
                self._fail("The upstream closed the connection before it answered.")
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not parser.head_complete:
                self._fail("The upstream's answer has too many headers.")
        if parser.status < 200:
            self._fail(f"The upstream answered with status {parser.status}, which is no answer.")

    def read(self) -> bytes | None:
        """The next bytes of the body, as soon as there are some; b"" at its end; None when the client should be kept
        alive first.

        Raises UpstreamTimeout, ClientGone, and UpstreamBroken if the body was cut.
        """
        parser = self._parser
        framing = 0
        while not parser.body:
            if parser.complete:
                self._release()
                return b""
            if not self._waits_for_more:
                self._patience.begin(self._between_bytes)
                self._waits_for_more = True
            data = self._receive()
            if data is None:
                return None
            framing += len(data)
            if framing > MAX_FRAMING_BYTES and not (parser.body or parser.complete):
                # Who is never silent reaches no deadline, which are those of waits.
                self._fail("The upstream sent too much that is no part of its answer.")
            if not data and parser.ends_with_connection:
                parser.end()
            elif not data:
                self._fail("The upstream closed the connection in the middle of its answer.")
        self._waits_for_more = False
        body, parser.body = parser.body, []
        return body[0] if len(body) == 1 else b"".join(body)

    def finish(self) -> None:
        """Let go of the connection at the end of a message.

        What the upstream still sends behind it is read elsewhere, so that the connection can serve again: the client
        has its answer and must not wait for that.
        """
        if self._parser.complete or self._connection is None or not under_gevent():
            self.close()
            return
        self._left_behind = True
        gevent.spawn(self._read_rest)

    def close(self) -> None:
        """Let go of the connection; an answer that is not complete ends it."""
        if self._left_behind:
            return
        if self._parser.complete:
            self._release()
        else:
            self._abort()

    def _read_rest(self) -> None:
        self._patience = Patience()
        self._patience.begin(FINISH_SECONDS)
        left = FINISH_BYTES
        with contextlib.suppress(ProxyError):
            while left > 0 and not self._parser.complete and (data := self._receive()):
                left -= len(data)
        self._left_behind = False
        self.close()

    def _receive(self) -> bytes | None:
        """The next bytes, parsed; None when the client should be kept alive first."""
        if self._connection is None:
            return b""
        try:
            data = self._connection.receive(self._patience)
            if data:
                self._parser.feed(data)
            return data
        except httptools.HttpParserError:
            self._fail("The upstream's answer is not valid HTTP.")
        except OSError:
            self._fail("The connection to the upstream broke.")
        except BaseException:
            self._abort()
            raise

    def _fail(self, message: str) -> NoReturn:
        self._abort()
        raise UpstreamBroken(message) from None

    def _abort(self) -> None:
        """End the connection, whatever came on it so far."""
        if self._connection is not None:
            self._parser.close()
            self._connection.close()
            self._connection = None

    def _release(self) -> None:
        """Give the connection back if another answer can follow on it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._parser.close()
        if self._parser.reusable:
            self._give_back(connection)
        else:
            connection.close()
