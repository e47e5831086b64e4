"""gunicorn's own messages, in the service's formats and without what clients sent."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from gunicorn import glogging

from app.logs import CONTROL_CHARACTERS, JsonFormatter, LineFormatter

_SAFE_START = re.compile(r"Invalid request from ip=\S*: [^:]*|Ignored premature client disconnection")
"""What follows in these messages is quoted from the client: a malformed header line, say, and with it perhaps a key."""


def without_client_data(record: logging.LogRecord) -> bool:
    """A logging filter that keeps a gunicorn message and drops the client's bytes in it."""
    if isinstance(record.args, tuple) and record.msg.startswith("Error handling request"):
        record.args = tuple(str(part).partition("?")[0] for part in record.args)
    message = record.getMessage()
    if safe := _SAFE_START.match(message):
        message = safe[0]
    elif record.exc_info and isinstance(record.exc_info[1], OSError):
        # The only OSError that gets here is the client's socket: it stopped reading, or its network is gone.
        message = f"{message.rstrip('.')}: {type(record.exc_info[1]).__name__}"
        record.exc_info = record.exc_text = None
    if not message.startswith("Current configuration:"):  # gunicorn's own list, one setting a line
        message = CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), message)
    record.msg, record.args = message, ()
    return True


class LocalTimeFormatter(LineFormatter):
    """gunicorn's line: local time and its offset, pid, level, message."""

    converter = time.localtime

    def __init__(self) -> None:
        super().__init__(glogging.Logger.error_fmt, glogging.Logger.datefmt)


class TextLog(glogging.Logger):
    """gunicorn's log as lines of text."""

    formatter: type[logging.Formatter] = LocalTimeFormatter

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.filters = [without_client_data]  # assigned: a reload runs this again
        for handler in self.error_log.handlers:
            handler.setFormatter(self.formatter())


class JsonLog(TextLog):
    """gunicorn's log as JSON objects, one a line."""

    formatter = JsonFormatter
