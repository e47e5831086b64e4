"""The head of a request: gunicorn's parser, and a fast path for heads that need no second thought."""

from __future__ import annotations

import re
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

from gunicorn.http import message, parser
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

from app.breath import BREATH

HEAD_BYTES = 65_536
"""All fields together, which gunicorn bounds by the product of its two other limits only. On each read it copies and
searches what there is of an unfinished head: 150 connections with 0.8 MB each stopped service for half a minute."""

_REQUEST_LINE = re.compile(r'(GET|POST) ((/(?!/)[!"$->@-~]*)(?:\?([!"$-~]*))?) HTTP/1\.1')
"""Method, target, path, query: printable ASCII without a fragment."""
_FIELD_LINE = re.compile(r"^([A-Za-z0-9-]{1,64}):[\t ]*([\t -~]*)\r\n", re.MULTILINE)
"""Name and value; names are kept below, so a long one is not plain."""
_PATH = re.compile(rb"[^ \r\n]+ +(/[^ ?#\r\n]*)")
_LENGTH = re.compile(r"[0-9]{1,15}")
_PERSISTENCE = {"keep-alive": False, "close": True}
"""What `Connection` may say: whether the connection ends after the answer."""


class PlainHead(NamedTuple):
    """A head that every parser reads alike: its fields by lower-case name, its `size` in bytes with the empty line."""

    method: str
    target: str
    path: str
    query: str
    fields: dict[str, str]
    content_length: int
    closes: bool
    size: int


class Limits(NamedTuple):
    """What a plain head may have, and which of its names (lower case) make it anything but plain."""

    line: int
    fields: int
    field_bytes: int
    names: frozenset[str]


@cache
def limits(cfg: Any) -> Limits | None:
    """Of gunicorn's configuration; None where something of it concerns heads that look plain."""
    if cfg.is_ssl or cfg.proxy_protocol != "off":
        return None
    names = {"transfer-encoding", "expect", "upgrade", *map(str.lower, cfg.secure_scheme_headers)}
    sizes = cfg.limit_request_line, cfg.limit_request_fields, cfg.limit_request_field_size
    return Limits(*sizes, frozenset(names))


_lower_case = lru_cache(maxsize=512)(str.lower)
"""Shared by all requests: an open stream keeps the names of its fields."""


def plain_head(data: bytes, within: Limits) -> PlainHead | None:
    """The head at the start of `data`, if all of it is there and nothing about it is odd.

    Nothing is refused here: what is None may be right, wrong or not there yet.
    """
    end = data.find(b"\r\n\r\n") + 2
    line, _, lines = data[:end].decode("latin-1").partition("\r\n")
    asked = _REQUEST_LINE.fullmatch(line)
    fields = _FIELD_LINE.findall(lines)
    # Each match begins a line and ends it: as many as there are lines, and nothing is left between them.
    if asked is None or len(fields) != lines.count("\n") or not 0 < len(fields) <= within.fields:
        return None
    if len(line) > within.line or len(lines) > within.field_bytes:
        return None
    values = {_lower_case(name): value.rstrip("\t ") for name, value in fields}
    length, closes = values.get("content-length", "0"), values.get("connection", "keep-alive").lower()
    if len(values) != len(fields) or not values.keys().isdisjoint(within.names):
        return None
    if not _LENGTH.fullmatch(length) or closes not in _PERSISTENCE or values.get("content-type") == "":
        return None
    method, target, path, query = asked.groups("")
    return PlainHead(method, target, path, query, values, int(length), _PERSISTENCE[closes], end + 2)


def body_of(length: int, begun: bytes, unreader: Any) -> Body:
    """gunicorn's body of `length` bytes; its reader has none left where `begun`, what came with the head, is all."""
    if len(begun) < length:
        unreader.unread(begun)
        return Body(LengthReader(unreader, length))
    body = Body(LengthReader(unreader, 0))
    body.buf.write(begun[:length])
    if len(begun) > length:
        unreader.unread(begun[length:])
    return body


def path_begun(data: bytes) -> str:
    """The path of a request of which no more is known than how it begins; empty if it does not tell."""
    found = _PATH.match(data)
    return found[1].decode("latin-1") if found else ""


def asks_to_close(headers: list[tuple[str, str]]) -> bool:
    """Whether `close` is among the options of `Connection` (RFC 9110, section 7.6.1); gunicorn hears it only alone."""
    said = ",".join(value for name, value in headers if name == "CONNECTION")
    return "close" in (option.strip("\t ").lower() for option in said.split(","))


class BoundedRequest(message.Request):
    """gunicorn's request, except that a head too large as a whole is refused (431), and trailers likewise.

    A plain head takes the fast path; whatever is not goes through gunicorn's own parser, from its first byte.
    """

    max_buffer_headers = property(lambda self: HEAD_BYTES, lambda self, derived: None)
    path: str
    is_plain = False
    fragment = ""
    version = (1, 1)
    scheme = "http"

    def __init__(self, cfg: Any, unreader: Any, peer_addr: Any, req_number: int = 1) -> None:
        within = limits(cfg)
        data = unreader.read() if within else b""
        head = plain_head(data, within) if within else None
        if head is None:
            if data:
                unreader.unread(data)
            try:
                super().__init__(cfg, unreader, peer_addr, req_number)
            except ParseException as refusal:
                refusal.path = self.path or path_begun(data)
                raise
            return
        self.is_plain, self.proxy_protocol_info = True, None
        self.cfg, self.unreader, self.req_number = cfg, unreader, req_number
        self.peer_addr = self.remote_addr = peer_addr
        self.method, self.uri, self.path, self.query, self.fields, length, self.must_close, size = head
        self.trailers: list[tuple[str, str]] = []
        self.body = body_of(length, data[size:], unreader)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Of a plain head, for who asks; gunicorn's own parser sets it."""
        return [(name.upper(), value) for name, value in self.fields.items()]

    def should_close(self) -> bool:
        return self.must_close if self.is_plain else bool(super().should_close()) or asks_to_close(self.headers)


class FairUnreader(SocketUnreader):
    """What a client sends. Who always has more to come would never be waited for, and nobody else be served: one
    connection with requests in a row, or with a body of one-byte chunks, stopped a worker until it was killed."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        if BREATH.is_due():
            BREATH.take()
        return bytes(super().chunk(size_hint))


class RequestParser(parser.RequestParser):
    """The requests of one connection."""

    mesg_class = BoundedRequest

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        if hasattr(source, "recv"):
            self.unreader = FairUnreader(source)

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """gunicorn's, except that where a body of known length was read there is nothing to read away."""
        body = self.mesg and self.mesg.body
        if body and not body.failed and isinstance(body.reader, LengthReader) and not body.reader.length:
            return True
        return bool(super().finish_body(deadline, max_bytes))
