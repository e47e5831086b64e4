"""The fake behind a socket (FakeUpstream) and behind the `responses` library (responses_callback)."""

import contextlib
import select
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from .exchange import Exchange, Reply
from .rules_top_level import Refusal


@dataclass
class RecordedRequest:
    """One request as it arrived, what became of it, and whether the caller stayed for the whole answer.

    Header names are in lower case. `body` is the parsed JSON, None when there was none. `finished` is set
    when the answer was written or the caller had left; `pieces_sent` counts the writes until then.
    """

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: Any
    status: int
    refusal: Refusal | None
    caller_left: bool = False
    pieces_sent: int = 0
    finished: threading.Event = field(default_factory=threading.Event, repr=False)


def _recorded(method: str, path: str, headers: dict[str, str], raw: bytes, reply: Reply) -> RecordedRequest:
    return RecordedRequest(method, path, headers, raw, reply.body, reply.status, reply.refusal)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def _respond(self) -> None:
        raw = self._request_body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.exchange.reply(self.command, self.path, headers, raw)
        request = _recorded(self.command, self.path, headers, raw, reply)
        self.server.requests.append(request)
        try:
            self._write(reply, request)
        except OSError:
            request.caller_left = True
            self.close_connection = True
        finally:
            request.finished.set()

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = _respond

    def _request_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write(self, reply: Reply, request: RecordedRequest) -> None:
        pace, head_only = reply.pace, self.command == "HEAD"
        self._stay(pace.wait)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        chunked = reply.streamed and pace.chunked
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        elif pace.chunked:
            self.send_header("content-length", str(sum(map(len, reply.pieces))))
        self.close_connection = self.close_connection or not pace.chunked or pace.drops
        self.end_headers()
        for piece in () if head_only else _writes(reply):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            request.pieces_sent += 1
            self._stay(pace.slow)
        if chunked and not head_only and not pace.drops:
            self.wfile.write(b"0\r\n\r\n")

    def _stay(self, seconds: float) -> None:
        """Waits; raises ConnectionAbortedError as soon as the caller has left."""
        ready = select.select([self.connection], [], [], seconds)[0] if seconds else []
        if ready and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionAbortedError("the caller has left")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the requests are recorded instead."""


def _writes(reply: Reply) -> Iterator[bytes]:
    """The body in the pieces that are written at once: whole frames, or as many bytes as asked for."""
    if reply.pace.split is None:
        return iter([piece for piece in reply.pieces if piece])
    body, size = b"".join(reply.pieces), reply.pace.split
    return (body[at : at + size] for at in range(0, len(body), size))


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, exchange: Exchange) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.exchange = exchange
        self.requests: list[RecordedRequest] = []
        self._connections: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Shows the traceback, except of a connection that broke while it was idle."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Ends idle connections and running answers, and waits for their threads."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


class FakeUpstream:
    """An Anthropic-compatible upstream on 127.0.0.1, for a `with` statement.

    `personality` is a name of personalities.PERSONALITIES. With `strict`, every model is judged by all rules
    that Anthropic's API has; without it, other vendors' models are as lenient as the real ones.
    """

    def __init__(self, personality: str = "anthropic", *, strict: bool = True, port: int = 0) -> None:
        self._server = _Server(port, Exchange.of(personality, strict=strict))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """Without `/v1`, as the anthropic SDK wants it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival."""
        return self._server.requests

    @property
    def refusals(self) -> list[Refusal]:
        """What was refused so far."""
        return [request.refusal for request in self.requests if request.refusal is not None]

    def __enter__(self) -> "FakeUpstream":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self) -> None:
        """Serves in this thread until interrupted."""
        self._server.serve_forever()


class ResponsesCallback:
    """A callback for `responses.add_callback`; records requests as FakeUpstream does.

    A stream comes as one bytes body; what concerns sockets (pace, drops) has no effect.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.requests: list[RecordedRequest] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) for a prepared request; header names as the library looks for them."""
        raw = request.body or b""
        raw = raw.encode() if isinstance(raw, str) else raw
        sent = {name.lower(): value for name, value in request.headers.items()}
        reply = self._exchange.reply(request.method, request.path_url, sent, raw)
        self.requests.append(_recorded(request.method, request.path_url, sent, raw, reply))
        headers = {name.title(): value for name, value in reply.headers.items()}
        return reply.status, headers, b"".join(reply.pieces)


def responses_callback(personality: str = "anthropic", *, strict: bool = True) -> ResponsesCallback:
    """The fake as `callback` of `responses.add_callback(responses.POST, url, callback=...)`."""
    return ResponsesCallback(Exchange.of(personality, strict=strict))
