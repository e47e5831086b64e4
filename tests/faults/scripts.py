"""What raw_upstream does to a request, one function a fault; each returns whether the connection stays open."""

import gzip
import json
import zlib
from collections.abc import Callable
from functools import cache

from .answers import (
    BEGINNING,
    END,
    LAST_CHUNK,
    MEGABYTE,
    PING,
    STREAM,
    TEXT,
    answer,
    chunk,
    chunked_head,
    delta,
    head,
    kind_of,
    message,
    sized,
)
from .raw_upstream import Peer

Script = Callable[[Peer], bool]
PACE = 0.2
"""Seconds between the bytes of what comes dribbling."""
PAUSE = 1.4
"""Seconds of silence that no timeout of the tests ends, but in which a stream must be kept alive."""


def good(peer: Peer) -> bool:
    if peer.streams:
        peer.send(chunked_head(peer) + chunk(BEGINNING) + chunk(delta(TEXT)) + chunk(END) + LAST_CHUNK)
    else:
        peer.send(sized(peer, message()))
    return True


# --- before the head is whole


def reset_before_head(peer: Peer) -> bool:
    peer.reset()
    return False


def close_before_head(peer: Peer) -> bool:
    return False


def reset_mid_head(peer: Peer) -> bool:
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    peer.stay(0.1)
    peer.reset()
    return False


def garbage(peer: Peer) -> bool:
    peer.send(b"\x16\x03\x01\x00 what is this?\r\n\r\n" * 3)
    peer.stay()
    return False


def silence(peer: Peer) -> bool:
    peer.stay()
    return False


def dribbled_head(peer: Peer) -> bool:
    for byte in sized(peer, answer(peer)):
        peer.send(bytes([byte]))
        peer.stay(PACE)
    return False


def early_hints(peer: Peer) -> bool:
    peer.send(head("link: </style.css>", status="103 Early Hints"))
    peer.stay(0.1)
    peer.send(sized(peer, answer(peer)))
    return True


def early_hints_at_once(peer: Peer) -> bool:
    peer.send(head("link: </style.css>", status="103 Early Hints") + sized(peer, answer(peer)))
    return True


def processing(peer: Peer) -> bool:
    """Interim answers in place of patience, each in its own packet."""
    for status in ("100 Continue", "102 Processing", "102 Processing"):
        peer.send(head(status=status))
        peer.stay(0.05)
    return good(peer)


def switching_protocols(peer: Peer) -> bool:
    peer.send(head("connection: upgrade", "upgrade: websocket", status="101 Switching Protocols") + b"\x81\x05Hello")
    peer.stay()
    return False


def malformed_header(peer: Peer) -> bool:
    peer.send(head(kind_of(peer), "this line has no colon", f"content-length: {len(answer(peer))}") + answer(peer))
    return True


def control_character(peer: Peer) -> bool:
    peer.send(head(kind_of(peer), "request-id: a\x01b", f"content-length: {len(answer(peer))}") + answer(peer))
    return True


def huge_head(peer: Peer) -> bool:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(4000):
        peer.send(b"x-header-%d: %s\r\n" % (number, b"x" * 100))
    peer.stay()
    return False


def two_lengths(peer: Peer) -> bool:
    peer.send(head(kind_of(peer), "content-length: 5", "content-length: 500") + answer(peer))
    return True


def brotli(peer: Peer) -> bool:
    peer.send(sized(peer, b"\x0b\x02\x80", "content-encoding: br"))
    return True


def redirect(status: int, elsewhere: str) -> Script:
    def script(peer: Peer) -> bool:
        peer.send(sized(peer, b"", f"location: {elsewhere}/v1/messages", status=f"{status} Elsewhere"))
        return True

    return script


# --- the upstream's own refusals


def refusal(status: int, type: str, *fields: str) -> Script:
    body = json.dumps({"type": "error", "error": {"type": type, "message": "The upstream says no."}}).encode()

    def script(peer: Peer) -> bool:
        peer.send(
            head("content-type: application/json", f"content-length: {len(body)}", *fields, status=f"{status} No")
        )
        peer.send(body)
        return True

    return script


def _unexplained(peer: Peer, body: bytes, *fields: str) -> None:
    """The head of a refusal and what it announces of a body."""
    peer.send(head("content-type: application/json", "retry-after: 7", *fields, status="429 No") + body)
    peer.stay(0.05)


def refused_and_cut(peer: Peer) -> bool:
    _unexplained(peer, b'{"type": "error", ', "content-length: 500")
    return False


def refused_and_reset(peer: Peer) -> bool:
    _unexplained(peer, b"", "content-length: 500")
    peer.reset()
    return False


def refused_and_silent(peer: Peer) -> bool:
    _unexplained(peer, b"", "content-length: 500")
    peer.stay()
    return False


def refused_in_bad_chunks(peer: Peer) -> bool:
    _unexplained(peer, b"zz\r\nwhat\r\n", "transfer-encoding: chunked")
    return False


def refused_in_brotli(peer: Peer) -> bool:
    _unexplained(peer, b"\x0b\x02\x80", "content-length: 3", "content-encoding: br")
    return True


def refused_without_gzip(peer: Peer) -> bool:
    _unexplained(peer, b"", "content-length: 0", "content-encoding: gzip")
    return True


def refused_at_length(peer: Peer) -> bool:
    _unexplained(peer, b"", "transfer-encoding: chunked")
    for _ in range(40):
        peer.send(chunk(b"no " * 100_000))
    return False


def html_error(peer: Peer) -> bool:
    body = b"<html><body>Bad gateway at 10.1.2.3:8080</body></html>"
    peer.send(head("content-type: text/html", f"content-length: {len(body)}", status="503 No") + body)
    return True


# --- in the body


def _cut(peer: Peer) -> None:
    """The head and about half of an answer."""
    if peer.streams:
        peer.send(chunked_head(peer) + chunk(BEGINNING) + chunk(delta(TEXT)))
    else:
        peer.send(sized(peer, message()[:60], length=len(message())))
    peer.stay(0.1)


def reset_mid_body(peer: Peer) -> bool:
    _cut(peer)
    peer.reset()
    return False


def close_mid_body(peer: Peer) -> bool:
    _cut(peer)
    return False


def silence_mid_body(peer: Peer) -> bool:
    _cut(peer)
    peer.stay()
    return False


def half_an_event(peer: Peer) -> bool:
    """Ends cleanly for HTTP, in the middle of an event or of the JSON."""
    body = STREAM[: len(BEGINNING) + 80] if peer.streams else message()[:60]
    peer.send(chunked_head(peer) + chunk(body) + LAST_CHUNK)
    return True


def no_message_stop(peer: Peer) -> bool:
    body = BEGINNING + delta(TEXT) if peer.streams else b""
    peer.send(chunked_head(peer) + (chunk(body) if body else b"") + LAST_CHUNK)
    return True


def length_too_long(peer: Peer) -> bool:
    body = BEGINNING + delta(TEXT) if peer.streams else message()
    peer.send(sized(peer, body, length=len(body) + 1000))
    peer.stay(0.1)
    return False


def length_too_short(peer: Peer) -> bool:
    body = answer(peer)
    peer.send(sized(peer, body, length=len(BEGINNING) + 30 if peer.streams else 60))
    return True


def bad_chunk_size(peer: Peer) -> bool:
    body = BEGINNING if peer.streams else message()[:60]
    peer.send(chunked_head(peer) + chunk(body))
    peer.stay(0.1)
    peer.send(b"zz\r\nwhat\r\n")
    peer.stay()
    return False


def garbage_body(peer: Peer) -> bool:
    if peer.streams:
        peer.send(chunked_head(peer) + chunk(BEGINNING) + chunk(b"\xff\xfe\x00 data? {[\n\n" * 20) + LAST_CHUNK)
    else:
        peer.send(sized(peer, b"\xff\xfe{{{{not json"))
    return True


def endless(peer: Peer) -> bool:
    peer.send(chunked_head(peer))
    piece = chunk(delta("x" * 1000) * 100) if peer.streams else chunk(b" " * 100_000)
    if peer.streams:
        peer.send(chunk(BEGINNING))
    while True:
        peer.send(piece)


def dribbled_body(peer: Peer) -> bool:
    """Never silent for long and never whole: a comment, or the blanks before a JSON body, byte by byte."""
    peer.send(chunked_head(peer) + (chunk(BEGINNING + b":") if peer.streams else b""))
    while True:
        peer.send(chunk(b" "))
        peer.stay(0.05)


def endless_pings(peer: Peer) -> bool:
    peer.send(chunked_head(peer) + (chunk(BEGINNING) if peer.streams else b""))
    while True:
        peer.send(chunk(PING if peer.streams else b" "))
        peer.stay(0.05)


BOMB_BEGINNINGS = {True: BEGINNING + b"data: ", False: b'{"content": "'}


@cache
def _bomb(beginning: bytes) -> bytes:
    deflate = zlib.compressobj(1, wbits=31)
    blanks = b" " * MEGABYTE
    return b"".join([deflate.compress(beginning), *(deflate.compress(blanks) for _ in range(80)), deflate.flush()])


def bomb(peer: Peer) -> bool:
    """80 MB of blanks, in one string, in less than a megabyte of gzip."""
    compressed = _bomb(BOMB_BEGINNINGS[peer.streams])
    peer.send(chunked_head(peer, "content-encoding: gzip"))
    for start in range(0, len(compressed), 65536):
        peer.send(chunk(compressed[start : start + 65536]))
    peer.send(LAST_CHUNK)
    return True


def gzip_cut(peer: Peer) -> bool:
    body = gzip.compress(answer(peer))[:-12]
    peer.send(sized(peer, body, "content-encoding: gzip"))
    return True


def no_gzip(peer: Peer) -> bool:
    peer.send(sized(peer, answer(peer), "content-encoding: gzip"))
    return True


def huge_event(peer: Peer) -> bool:
    peer.send(chunked_head(peer))
    if not peer.streams:
        peer.send(chunk(message("x" * 40 * MEGABYTE)) + LAST_CHUNK)
        return True
    peer.send(chunk(BEGINNING))
    for piece in _pieces(delta("x" * 40 * MEGABYTE)):
        peer.send(chunk(piece))
    peer.send(chunk(END) + LAST_CHUNK)
    return True


# --- odd, but whole


@cache
def _big(streams: bool) -> list[bytes]:
    text = "y" * 20 * MEGABYTE
    return [*map(chunk, _pieces(BEGINNING + delta(text) + END if streams else message(text))), LAST_CHUNK]


def big_event(peer: Peer) -> bool:
    peer.send(chunked_head(peer))
    for piece in _big(peer.streams):
        peer.send(piece)
    return True


def _pieces(body: bytes) -> list[bytes]:
    return [body[start : start + 16_000] for start in range(0, len(body), 16_000)]


def byte_by_byte(peer: Peer) -> bool:
    for byte in chunked_head(peer) + b"".join(chunk(bytes([byte])) for byte in answer(peer)) + LAST_CHUNK:
        peer.send(bytes([byte]))
    return True


def gzipped(peer: Peer) -> bool:
    peer.send(sized(peer, gzip.compress(answer(peer)), "content-encoding: gzip"))
    return True


def deflated(peer: Peer) -> bool:
    peer.send(sized(peer, zlib.compress(answer(peer)), "content-encoding: deflate"))
    return True


def until_close(peer: Peer) -> bool:
    """HTTP/1.0: the end of the connection is the end of the answer."""
    body = answer(peer)
    peer.send(head(kind_of(peer), version="1.0") + body[:200])
    peer.stay(0.2)
    peer.send(body[200:])
    return False


def talkative_until_close(peer: Peer) -> bool:
    """A stream without chunks or length, of which a part is here and the rest is not."""
    peer.send(head(kind_of(peer), version="1.0") + BEGINNING + delta("more "))
    peer.stay()
    return False


def until_goodbye(peer: Peer) -> bool:
    """The same with TLS's own end before that of the connection."""
    until_close(peer)
    peer.say_goodbye()
    return False


def goodbye_mid_body(peer: Peer) -> bool:
    _cut(peer)
    peer.say_goodbye()
    return False


def stays_open(peer: Peer) -> bool:
    """Whole, but the end of the HTTP message never comes."""
    if not peer.streams:
        return good(peer)
    peer.send(chunked_head(peer) + chunk(answer(peer)))
    peer.stay()
    return False


def late_last_chunk(peer: Peer) -> bool:
    peer.send(chunked_head(peer) + chunk(answer(peer)))
    peer.stay(0.1)
    peer.send(LAST_CHUNK)
    return True


LEFTOVER = "This answer was for somebody else."


def leftover(peer: Peer) -> bool:
    peer.send(sized(peer, answer(peer)) + sized(peer, message(LEFTOVER)))
    return True


def late_leftover(peer: Peer) -> bool:
    peer.send(sized(peer, answer(peer)))
    peer.stay(0.1)
    peer.send(sized(peer, message(LEFTOVER)))
    return True


def cookie(peer: Peer) -> bool:
    peer.send(sized(peer, answer(peer), "set-cookie: session=of-somebody; path=/"))
    return True


def close_after(peer: Peer) -> bool:
    """Keeps the connection open in words, and closes it."""
    good(peer)
    return False


def reset_after(peer: Peer) -> bool:
    """The same with RST."""
    good(peer)
    peer.stay(0.05)
    peer.reset()
    return False


def talkative(peer: Peer) -> bool:
    """A stream that goes on and on, ten events a second."""
    peer.send(chunked_head(peer) + chunk(BEGINNING))
    while True:
        peer.send(chunk(delta("more ")))
        peer.stay(0.1)


def quiet(peer: Peer) -> bool:
    """A stream of one event every second."""
    peer.send(chunked_head(peer) + chunk(BEGINNING))
    while True:
        peer.stay(1)
        peer.send(chunk(delta("more ")))


def pinging(peer: Peer) -> bool:
    """A model that thinks for two seconds, and an API that pings meanwhile."""
    peer.send(chunked_head(peer) + chunk(BEGINNING))
    for _ in range(10):
        peer.send(chunk(PING))
        peer.stay(0.2)
    peer.send(chunk(delta(TEXT)) + chunk(END) + LAST_CHUNK)
    return True


def late(peer: Peer) -> bool:
    """Silent before the head."""
    peer.stay(PAUSE)
    return good(peer)


def late_refusal(peer: Peer) -> bool:
    peer.stay(PAUSE)
    return refusal(529, "overloaded_error")(peer)


def pausing(peer: Peer) -> bool:
    """Silent in the middle."""
    _cut(peer)
    peer.stay(PAUSE)
    if peer.streams:
        peer.send(chunk(END) + LAST_CHUNK)
    else:
        peer.send(message()[60:])
    return True


def slow(peer: Peer) -> bool:
    """A stream of two seconds."""
    peer.send(chunked_head(peer) + chunk(BEGINNING))
    for _ in range(10):
        peer.send(chunk(delta("word ")))
        peer.stay(0.2)
    peer.send(chunk(END) + LAST_CHUNK)
    return True


def refused_once(status: int, type: str) -> Script:
    """A refusal for the first request of a model, then an answer."""

    def script(peer: Peer) -> bool:
        seen = SEEN.setdefault(peer.call.model, 0)
        SEEN[peer.call.model] = seen + 1
        return good(peer) if seen else refusal(status, type, "retry-after: 0")(peer)

    return script


def late_overload(peer: Peer) -> bool:
    """One that may be tried again, if no client was kept alive meanwhile."""
    peer.stay(PAUSE)
    return refusal(529, "overloaded_error", "retry-after: 0")(peer)


def build_answers() -> None:
    """Ahead of time: on a busy machine it takes longer than the service waits between two bytes."""
    for streams, beginning in BOMB_BEGINNINGS.items():
        _bomb(beginning)
        _big(streams)


SEEN: dict[str, int] = {}

SCRIPTS: dict[str, Script] = {
    name.replace("_", "-"): script
    for name, script in list(globals().items())
    if callable(script) and getattr(script, "__annotations__", {}) == {"peer": Peer, "return": bool}
} | {
    "refused-400": refusal(400, "invalid_request_error"),
    "refused-401": refusal(401, "authentication_error"),
    "refused-429": refusal(429, "rate_limit_error", "retry-after: 7"),
    "refused-500": refusal(500, "api_error"),
    "refused-529": refusal(529, "overloaded_error"),
    "429-once": refused_once(429, "rate_limit_error"),
    "503-once": refused_once(503, "api_error"),
    "529-once": refused_once(529, "overloaded_error"),
    "500-once": refused_once(500, "api_error"),
    "overloaded": refusal(529, "overloaded_error", "retry-after: 0"),
    "overloaded-in-a-second": refusal(529, "overloaded_error", "retry-after: 1"),
    "overloaded-long": refusal(529, "overloaded_error", "retry-after: 60"),
}
