"""A request whose head cannot be read: why, in the shape of the API it was for, where gunicorn answers with a page."""

from __future__ import annotations

import contextlib
import os
import socket
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors as refusals
from gunicorn.http.message import TOKEN_RE

from app.dialect import speaks_anthropic
from app.errors import RequestError
from app.json_body import dump_json
from app.server.request import HEAD_BYTES, FairUnreader
from app.translate.error_body import anthropic_error, openai_error
from app.transport.time_limit import TookTooLong, time_limit

LINGER_SECONDS = 5.0
"""How long a client that was refused may go on sending before it looks for the answer."""
_STATUSES = {
    refusals.InvalidRequestLine: 400,
    refusals.InvalidRequestMethod: 400,
    refusals.InvalidHTTPVersion: 400,
    refusals.InvalidHeader: 400,
    refusals.InvalidHeaderName: 400,
    refusals.ObsoleteFolding: 400,
    refusals.LimitRequestLine: 414,
    refusals.ExpectationFailed: 417,
    refusals.LimitRequestHeaders: 431,
    refusals.UnsupportedTransferCoding: 501,
}
"""gunicorn's own; what it raises besides is no client's doing."""


def is_refusal(error: BaseException) -> bool:
    return type(error) in _STATUSES


class Refusal(RequestError):
    """What is wrong with a head, and what to do about it. Of the client's bytes it quotes the name of a header."""

    def __init__(self, error: Any, cfg: Any) -> None:
        super().__init__(_words(error, cfg))
        self.status = _STATUSES[type(error)]
        self.path: str = getattr(error, "path", "")
        self.reason = str(error).partition(":")[0]
        """gunicorn's word for it, without what it quotes."""
        self.request_id = os.urandom(16).hex()

    def answer(self) -> bytes:
        """All of it, head and body; the connection ends behind it."""
        fields = {"Connection": "close", "content-type": "application/json", "x-request-id": self.request_id}
        if speaks_anthropic(self.path, ()):
            body = dump_json(anthropic_error(self, self.request_id)[1])
            fields["request-id"] = self.request_id
        else:
            body = dump_json(openai_error(self)[1])
        fields["content-length"] = str(len(body))
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *map(": ".join, fields.items()), "\r\n"]
        return "\r\n".join(lines).encode() + body


def _words(error: Any, cfg: Any) -> str:
    name = getattr(error, "hdr", "")
    # A line without a colon is all that is known of its header, and may hold a key.
    if isinstance(error, refusals.InvalidHeader) and not (TOKEN_RE.fullmatch(name) and name.isupper()):
        return "A header is malformed; each is a line of its own, 'Name: value', that ends with CR and LF."
    if isinstance(error, refusals.InvalidHeaderName) and not TOKEN_RE.fullmatch(name):
        return "The name of a header holds what no name may, such as a space before the colon."
    return {
        refusals.InvalidRequestLine: "The request does not begin as HTTP/1.1 does: 'POST /v1/messages HTTP/1.1', in "
        "ASCII without spaces in the path, and CR and LF at the end of the line.",
        refusals.InvalidRequestMethod: "There is no such HTTP method; methods are written in capitals.",
        refusals.InvalidHTTPVersion: "This server speaks HTTP/1.1.",
        refusals.InvalidHeader: f"The header {name} is given twice, or its value is none that it may have.",
        refusals.InvalidHeaderName: f"The header {name} cannot be taken, as other servers would read it as another "
        "one; leave it out, or write '-' for '_'.",
        refusals.ObsoleteFolding: f"The header {name} goes on in a second line; write it in one.",
        refusals.LimitRequestLine: f"The path with its query is too long; {cfg.limit_request_line} bytes are the most.",
        refusals.ExpectationFailed: "The only 'Expect' that is understood is '100-continue'; leave the header out.",
        refusals.LimitRequestHeaders: f"The headers are too large; the most are {cfg.limit_request_fields} headers, "
        f"{cfg.limit_request_field_size} bytes in one of them, and {HEAD_BYTES} bytes in all.",
        refusals.UnsupportedTransferCoding: "The only 'Transfer-Encoding' that is understood is 'chunked'.",
    }[type(error)]


def linger(sock: Any) -> None:
    """Read away what a client still sends that was answered before its request was read.

    A connection that is closed with bytes unread is reset, and the client may lose the answer: many look for it only
    once they have sent everything (RFC 9112, section 9.6).
    """
    unreader = FairUnreader(sock)
    with contextlib.suppress(OSError, TookTooLong), time_limit(LINGER_SECONDS):
        sock.shutdown(socket.SHUT_WR)
        while unreader.chunk(65_536):
            pass
