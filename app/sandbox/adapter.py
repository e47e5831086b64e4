"""The sandbox behind `requests`: a transport adapter that calls the WSGI callable, without a socket."""

import io
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse

from app.sandbox.wsgi_app import SLEEP_KEY, sandbox_app

URL_PREFIX = "sandbox:"
"""Where to mount the adapter; `sandbox:/v1/messages` and `sandbox://any-name/v1/messages` are its URLs."""


class SandboxAdapter(BaseAdapter):
    """`session.mount(URL_PREFIX, SandboxAdapter())` makes the sandbox an upstream like any other.

    The answer's `raw` is a real urllib3 response that reads the generator lazily: each
    `raw.read1(65536, decode_content=True)` returns an event as soon as it exists, and `raw.shutdown()`
    in another thread ends a read.
    """

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer `request`; `timeout` bounds a wait between two events as a read timeout does.

        Raises requests.ReadTimeout when a buffered answer takes longer than that.
        """
        connection = _Connection(timeout[1] if isinstance(timeout, tuple) else timeout)
        started = _Started()
        try:
            connection.body = iter(sandbox_app(_environ(request, connection), started))
        except TimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from error
        raw = HTTPResponse(
            body=connection,  # type: ignore[arg-type]  # urllib3 needs read, read1, close and closed of it
            headers=started.headers,
            status=started.status,
            version=11,
            reason=started.reason,
            preload_content=False,
            decode_content=False,
            connection=connection,  # type: ignore[arg-type]  # and close of it
            request_method=request.method,
            request_url=request.url,
            sock_shutdown=connection.shutdown,
        )
        return _response(request, raw)

    def close(self) -> None:
        """Nothing is held between two requests."""


def _environ(request: requests.PreparedRequest, connection: "_Connection") -> dict[str, Any]:
    url = urlsplit(str(request.url))
    body = _body_bytes(request.body)
    return {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": "/" + unquote_to_bytes(url.path).decode("latin-1").lstrip("/"),
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        SLEEP_KEY: connection.sleep,
    }


def _body_bytes(body: bytes | str | Iterable[bytes] | None) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b"".join(body or ())


def _response(request: requests.PreparedRequest, raw: HTTPResponse) -> requests.Response:
    """What requests.adapters.HTTPAdapter.build_response makes of a urllib3 response."""
    response = requests.Response()
    response.status_code = raw.status
    response.reason = raw.reason or ""
    response.headers = CaseInsensitiveDict(raw.headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = raw
    response.url = str(request.url)
    response.request = request
    return response


class _Started:
    """The start_response of one call, and what it was told."""

    status = 0
    reason = ""

    def __init__(self) -> None:
        self.headers = HTTPHeaderDict()

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        code, _, self.reason = status.partition(" ")
        self.status = int(code)
        self.headers.extend(headers)


class _Connection:
    """The stand-in for a socket: the lazy body of one answer, its read timeout, its end from either side."""

    body: Iterator[bytes]

    def __init__(self, read_timeout: float | None) -> None:
        self.closed = False
        self.body = iter(())
        self._read_timeout = read_timeout
        self._unread = b""
        self._reading = False
        self._shut_down = threading.Event()

    def read1(self, amount: int = -1) -> bytes:
        """At most `amount` bytes (negative: any number) of one event; b"" at the end."""
        if not self._unread:
            self._reading = True
            try:
                self._unread = next(self.body, b"")
            finally:
                self._reading = False
            # urllib3 and requests loop until the file says so itself, as http.client's does at its end.
            self.closed = self.closed or not self._unread
        if amount < 0 or amount >= len(self._unread):
            data, self._unread = self._unread, b""
        else:
            data, self._unread = self._unread[:amount], self._unread[amount:]
        return data

    def read(self, amount: int | None = None) -> bytes:
        """`amount` bytes, fewer only at the end; None or negative: all."""
        wanted = -1 if amount is None else amount
        pieces, missing = [], wanted
        while missing and (piece := self.read1(missing)):
            pieces.append(piece)
            missing -= len(piece) if wanted > 0 else 0
        return b"".join(pieces)

    def sleep(self, seconds: float) -> None:
        """Wait as a socket read would. Raises TimeoutError, or ConnectionAbortedError after a shutdown."""
        if seconds == 0:
            time.sleep(0)
        longest = seconds if self._read_timeout is None else min(seconds, self._read_timeout)
        if self._shut_down.wait(longest) if seconds else self._shut_down.is_set():
            raise ConnectionAbortedError("the sandbox connection was shut down")
        if longest < seconds:
            raise TimeoutError("the sandbox paused for longer than the read timeout")

    def shutdown(self, how: int) -> None:
        """End a read that waits in another thread; `how` is a socket's and has no further meaning here."""
        self._shut_down.set()

    def close(self) -> None:
        """Close the body; one that is being read elsewhere closes itself when its wait ends."""
        self.closed = True
        self._shut_down.set()
        close = getattr(self.body, "close", None)
        if close is not None and not self._reading:
            close()
