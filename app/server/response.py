"""The answer to a request, as it goes out on the client's socket."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.message import TOKEN_RE
from gunicorn.util import http_date, is_hoppish


class DateLine:
    """The `Date` header of this second; gunicorn puts it together for every response."""

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def __str__(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second, self._line = now, f"Date: {http_date(now)}\r\n"
        return self._line


_DATE_LINE = DateLine()


@lru_cache(maxsize=512)
def _end_to_end(name: str) -> str:
    """`name` in lower case; empty if it is no header's, or that of one which is gunicorn's to set."""
    return name.lower() if TOKEN_RE.fullmatch(name) and not is_hoppish(name) else ""


class OneWriteResponse(wsgi.Response):
    """gunicorn's response, except that the head goes out with the first bytes behind it: one system call less."""

    headers_sent: bool

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Here already: an attribute that comes later gives each response a dict of its own, 0.8 KB.
        self._held = b""
        self.status_code: int | None = None

    def process_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """gunicorn's checks, each name's once and not for every response."""
        for name, value in headers:
            lower_case = _end_to_end(name)
            if not lower_case or not (value.isascii() and value.isprintable()):
                super().process_headers([(name, value)])
                continue
            if lower_case == "content-length":
                self.response_length = int(value)
            self.headers.append((name, value.strip(" ")))

    def default_headers(self) -> list[str]:
        version = "HTTP/{}.{}".format(*self.req.version)
        connection = "close" if self.should_close() else "keep-alive"
        lines = [f"{version} {self.status}\r\nServer: {self.version}\r\n{_DATE_LINE}Connection: {connection}\r\n"]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        return lines

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = self.default_headers() + [f"{name}: {value}\r\n" for name, value in self.headers]
            self._held = f"{''.join(lines)}\r\n".encode("latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        held, self._held = self._held, b""
        self._send(held + data if held else data)

    def close(self) -> None:
        self.send_headers()
        end = self._held + (b"0\r\n\r\n" if self.chunked else b"")
        self._held = b""
        if end:
            self._send(end)

    def _send(self, data: bytes) -> None:
        """gevent's `sendall` alone is four calls deep, and the kernel nearly always takes all at once."""
        sent = self.sock.send(data)
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])
