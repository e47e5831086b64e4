"""The service's own notes and warnings, in the format of the request lines."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from app.request_log import configure_request_lines, escaped

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[Any]
else:
    # Python 3.10 cannot subscript it.
    _StreamHandler = logging.StreamHandler

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """Time, level and message; no message can fake a line of its own."""

    converter = time.gmtime  # type: ignore[assignment]
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        # A traceback has many lines; indented, none of them can pose as a line of its own.
        return "\n    ".join(CONTROL_CHARACTERS.sub(escaped, part) for part in line.split("\n"))


class JsonFormatter(LineFormatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": self.formatTime(record), "level": record.levelname.lower()}
        line |= {"logger": record.name, "pid": record.process, "message": record.getMessage()}
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
    configure_request_lines(logger.isEnabledFor(logging.INFO), format)
