"""One HTTP/1.1 request to the upstream and its answer, read as it comes; a malformed one is UpstreamBroken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NoReturn

import gevent
import httptools

from app.errors import ProxyError, UpstreamBroken
from app.greenlets import under_gevent
from app.transport.answer_parser import AnswerParser
from app.transport.connection import Connection
from app.transport.patience import Patience

MAX_HEAD_BYTES = 65536
MAX_FRAMING_BYTES = 65536
"""Of chunk sizes, chunk extensions and trailers between two bytes of the body."""
_NO_HTTP = "The upstream's answer is not valid HTTP."
FINISH_SECONDS = 1.0
FINISH_BYTES = 65536


class HeadPending(Exception):
    """The request is sent and the answer has not begun; `exchange.head()` goes on waiting for it."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange


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
            if parser.broken:
                self._fail(_NO_HTTP)
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
            self._fail(_NO_HTTP)
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
