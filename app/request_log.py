"""One line for each request: what it was, what became of it, who ended it. Never content, headers or keys."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.errors import ProxyError, UpstreamError
from app.routing import Route
from app.translate.usage import input_tokens, tokens

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[Any]
else:
    # Python 3.10 cannot subscript it.
    _StreamHandler = logging.StreamHandler

_logger = logging.getLogger("anthropic_proxy.requests")
_UNSAFE = re.compile(r"[^\x21-\x7e]|[\"\\=]")
_PLAIN = re.compile(r"[!#-<>-\[\]-~]{0,200}")
"""A value that goes into a line as it is: nothing that _UNSAFE finds, and not too long."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 200
"""Characters of a value in a line."""


@dataclass
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

    def used(self, usage: dict[str, Any]) -> None:
        """Take over an Anthropic usage object."""
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

    def write(self) -> None:
        """Log the line, as `name=value` pairs or as a JSON object with LOG_FORMAT=json."""
        if _logger.isEnabledFor(logging.INFO):
            # Not `_logger.info`, which looks for the line of source it is called from.
            line = logging.LogRecord(_logger.name, logging.INFO, __file__, 0, "request", (), None)
            line.record_fields = self._fields()
            _logger.handle(line)

    def _fields(self) -> dict[str, Any]:
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
            "ms": self.elapsed_ms(),
            "input_tokens": self.input_tokens or None,
            "output_tokens": self.output_tokens or None,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "ended_by": self.ended_by,
            "error": self.error,
        }
        return {name: value for name, value in fields.items() if value not in (None, "")}


class LineFormatter(logging.Formatter):
    """Time, level, message, then the record's fields; no value can fake a line or a field of its own."""

    converter = time.gmtime  # type: ignore[assignment]
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    _second = 0
    _stamp = ""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "record_fields", None)
        if fields is not None:
            return self._request_line(record, fields)
        line = super().format(record)
        # A traceback has many lines; indented, none of them can pose as a line of its own.
        return "\n    ".join(_CONTROL.sub(_escaped, part) for part in line.split("\n"))

    def _request_line(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        """The same format by hand: it is written for every request, and few values need an escape."""
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._stamp = time.strftime(self.default_time_format, time.gmtime(self._second))
        parts = [f"{self._stamp}.{int(record.msecs):03d}Z {record.levelname} {record.msg}"]
        for name, value in fields.items():
            text = str(value)
            parts.append(f"{name}={text if _PLAIN.fullmatch(text) else _safe(text)}")
        return " ".join(parts)


class JsonFormatter(LineFormatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": self.formatTime(record), "level": record.levelname.lower()}
        line |= {"logger": record.name, "pid": record.process, "message": record.getMessage()}
        line |= {name: _short(value) for name, value in getattr(record, "record_fields", {}).items()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class StandardStream(_StreamHandler):
    """Writes to what `sys.stdout` or `sys.stderr` is at that moment."""

    def __init__(self, name: str) -> None:
        logging.Handler.__init__(self)
        self._stream_name = name

    @property
    def stream(self) -> Any:
        return getattr(sys, self._stream_name)

    @stream.setter
    def stream(self, value: Any) -> None:
        """Set by the base class only to another stream, which nobody asks of this one."""


def _short(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value


def _safe(value: Any) -> str:
    return _UNSAFE.sub(_escaped, str(value)[:_LONGEST])


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def configure_logging(level: str, format: str) -> None:
    """Send request lines and notes to stdout, warnings and errors to stderr; `level` and `format` as in LOG_LEVEL and
    LOG_FORMAT. Calling it again replaces what an earlier call set up."""
    formatter = JsonFormatter() if format == "json" else LineFormatter("%(asctime)s %(levelname)s %(message)s")
    notes, warnings = StandardStream("stdout"), StandardStream("stderr")
    notes.addFilter(lambda record: record.levelno < logging.WARNING)
    warnings.setLevel(logging.WARNING)
    logger = logging.getLogger("anthropic_proxy")
    for handler in (notes, warnings):
        handler.setFormatter(formatter)
    logger.handlers = [notes, warnings]
    logger.setLevel(level.upper())
    logger.propagate = False
