"""One line for each request: what it was, what became of it, who ended it. Never content, headers or keys."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from app.errors import ProxyError, UpstreamError
from app.routing import Route
from app.translate.usage import input_tokens, tokens

_UNSAFE = re.compile(r"[^\x21-\x7e]|[\"\\=]")
_are_plain = re.compile(r"[!#-<>-\[\]-~]{0,200}").fullmatch
"""Whether values, joined, go into a line as they are: they hold nothing that _UNSAFE finds, and none is too long."""
_LONGEST = 200
"""Characters of a value in a line."""
_READER_GONE = contextlib.suppress(OSError, ValueError)
"""Who reads the log may be gone; that is no reason to fail."""


@dataclass(slots=True)
class RequestRecord:
    """Filled while a request is served; durations in milliseconds, sizes in bytes."""

    method: str
    route: str
    request_id: str
    started: float = field(default_factory=time.monotonic)
    requested_model: str = ""
    upstream_model: str = ""
    status: int = 0
    upstream_status: int = 0
    upstream_ms: float | None = None
    first_byte_ms: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    ms: float = 0.0
    ended_by: str = "proxy"
    error: str = ""

    def upstream_answered(self, status: int) -> None:
        """The head of the upstream's answer is here."""
        self.upstream_status = status
        self.upstream_ms = self.elapsed_ms()

    def first_byte(self) -> None:
        """The first byte of the answer went to the client."""
        if self.first_byte_ms is None:
            self.first_byte_ms = self.elapsed_ms()

    def elapsed_ms(self) -> float:
        return round((time.monotonic() - self.started) * 1000, 1)

    def routed(self, route: Route) -> None:
        """Note which model was asked for and which one serves."""
        self.requested_model, self.upstream_model = route.requested_model, route.upstream_model

    def used(self, usage: Any) -> None:
        """Take over an Anthropic usage object; what is none counts nothing."""
        if not isinstance(usage, dict):
            return
        self.input_tokens = input_tokens(usage) or self.input_tokens
        self.output_tokens = tokens(usage, "output_tokens") or self.output_tokens

    def failed(self, error: ProxyError) -> None:
        """Note what ended the request early, and on whose side."""
        self.error = type(error).__name__
        self.ended_by = "upstream" if isinstance(error, UpstreamError) else "proxy"

    def left(self) -> None:
        """The client closed the connection before its answer was complete."""
        self.error = self.error or "ClientGone"
        self.ended_by = "client"

    def end(self) -> None:
        """The last byte is sent, or the client has left."""
        self.ms = self.elapsed_ms()

    def write(self) -> None:
        """Print the line, unless LOG_LEVEL leaves request lines out."""
        if _lines.form is not None:
            with _READER_GONE:
                sys.stdout.write(f"{_lines.form(self)}\n")
                sys.stdout.flush()

    def fields(self) -> dict[str, Any]:
        """What the line tells; what is unknown is left out."""
        fields = {
            "id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "upstream_status": self.upstream_status or None,
            "requested_model": self.requested_model,
            "upstream_model": self.upstream_model,
            "upstream_ms": self.upstream_ms,
            "first_byte_ms": self.first_byte_ms,
            "ms": self.ms,
            "input_tokens": self.input_tokens or None,
            "output_tokens": self.output_tokens or None,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "ended_by": self.ended_by,
            "error": self.error,
        }
        return {name: value for name, value in fields.items() if value not in (None, "")}


class _Clock:
    """The time of day as a log line tells it; the date is put together once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._stamp = ""

    def stamp(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._stamp}.{int((now - second) * 1000):03d}Z"


_clock = _Clock()


_words = attrgetter("request_id", "method", "route", "requested_model", "upstream_model", "error")
"""The fields of a record whose text a client or an upstream may choose."""


def text_line(record: RequestRecord) -> str:
    """`record.fields()` as `name=value` pairs; no value can fake a line or a pair of its own."""
    words = _words(record)
    if not _are_plain("".join(words)):
        words = tuple(_UNSAFE.sub(escaped, word[:_LONGEST]) for word in words)
    request_id, method, route, requested_model, upstream_model, error = words
    line = f"{_clock.stamp()} INFO request id={request_id} method={method} route={route} status={record.status}"
    if record.upstream_status:
        line += f" upstream_status={record.upstream_status}"
    if requested_model:
        line += f" requested_model={requested_model}"
    if upstream_model:
        line += f" upstream_model={upstream_model}"
    if record.upstream_ms is not None:
        line += f" upstream_ms={record.upstream_ms}"
    if record.first_byte_ms is not None:
        line += f" first_byte_ms={record.first_byte_ms}"
    line += f" ms={record.ms}"
    if record.input_tokens:
        line += f" input_tokens={record.input_tokens}"
    if record.output_tokens:
        line += f" output_tokens={record.output_tokens}"
    line += f" bytes_in={record.bytes_in} bytes_out={record.bytes_out} ended_by={record.ended_by}"
    return f"{line} error={error}" if error else line


def json_line(record: RequestRecord) -> str:
    """`record.fields()` in a JSON object, in ASCII."""
    line = {"time": _clock.stamp(), "level": "info", "logger": "anthropic_proxy.requests", "pid": os.getpid()}
    cut = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in record.fields().items()}
    return json.dumps(line | {"message": "request"} | cut)


_FORMS: dict[str, Callable[[RequestRecord], str]] = {"text": text_line, "json": json_line}


class _Lines:
    """How request lines are written; `form` None: not at all."""

    def __init__(self) -> None:
        self.form: Callable[[RequestRecord], str] | None = text_line


_lines = _Lines()


def configure_request_lines(shown: bool, format: str) -> None:
    """Whether request lines are written, and `format` as in LOG_FORMAT.

    They do without the logging module, which costs more than all that a line says: one is written for every request.
    """
    _lines.form = _FORMS[format] if shown else None


def escaped(match: re.Match[str]) -> str:
    """A character that no line may hold, as Python writes it."""
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
