"""The bytes that go to the upstream, and the bodies that come back, decoded within bounds."""

import gzip
import zlib
from typing import Any, cast

import pytest

from app.errors import InvalidRequest, UpstreamBroken
from app.settings import Settings
from app.transport.exchange import Exchange
from app.transport.patience import Patience
from app.transport.pool import Pool
from app.transport.socket_adapter import ExchangeBody, Outbound, SocketAdapter, response_of

TEXT = b"An answer that is worth compressing, " * 40


class Answer:
    """An exchange that brings `reads`."""

    status = 200

    def __init__(self, *reads: bytes | None, encoding: str = "") -> None:
        self.headers = {"content-encoding": encoding} if encoding else {}
        self._reads = [*reads, b""]
        self.closed = False

    def head(self) -> None: ...

    def read(self) -> bytes | None:
        return self._reads.pop(0)

    def close(self) -> None:
        self.closed = True


class Sent:
    """A pool that keeps what it is to send."""

    def __init__(self) -> None:
        self.bytes = b""

    def send(self, request: bytes, *_: Any) -> Answer:
        self.bytes = request
        return Answer(b"Hi")


def sent(base: str, method: str = "POST", body: bytes | None = b"{}", environ: Any = None, **headers: str) -> bytes:
    pool = Sent()
    adapter = SocketAdapter(cast(Pool, pool), Settings.from_env({"UPSTREAM_BASE": base} | (environ or {})))
    adapter.send(Outbound(method, f"{base}/v1/messages", headers, body, Patience()))
    return pool.bytes


def body_of(*reads: bytes | None, encoding: str = "") -> ExchangeBody:
    return ExchangeBody(cast(Exchange, Answer(*reads, encoding=encoding)))


def read_through(body: ExchangeBody, amount: int = 65536) -> list[bytes | None]:
    pieces: list[bytes | None] = []
    while (data := body.read1(amount)) != b"":
        pieces.append(data)
    return pieces


def test_a_request_is_head_and_body_in_one_piece() -> None:
    assert sent("http://up.example:8080/api", accept="*/*") == (
        b"POST /api/v1/messages HTTP/1.1\r\nHost: up.example:8080\r\naccept: */*\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"\r\nContent-Length: 0\r\n" in sent("http://up.example", body=None)
    assert b"Content-Length" not in sent("http://up.example", "GET", None)


def test_a_proxy_is_told_the_whole_url_unless_it_tunnels() -> None:
    proxy = {"UPSTREAM_PROXY": "http://proxy:3128"}
    assert sent("http://up.example", environ=proxy).startswith(b"POST http://up.example/v1/messages HTTP/1.1\r\n")
    assert sent("https://up.example", environ=proxy).startswith(b"POST /v1/messages HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])
def test_no_header_begins_another(value: str) -> None:
    with pytest.raises(InvalidRequest, match="line break"):
        sent("http://up.example", accept=value)


def test_what_no_header_can_hold_is_replaced() -> None:
    assert b"\r\nuser-agent: caf\xe9 ?\r\n" in sent("http://up.example", **{"user-agent": "caf\u00e9 \u65e5"})


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_passes_as_it_comes(encoding: str) -> None:
    assert read_through(body_of(b"a", None, b"bc", encoding=encoding)) == [b"a", None, b"bc"]


def members(text: bytes) -> bytes:
    """`text` as a server sends it that finishes a gzip member at each flush."""
    return b"".join(gzip.compress(text[start : start + 40]) for start in range(0, len(text), 40))


def raw_deflate(text: bytes) -> bytes:
    return zlib.compress(text)[2:-4]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("gzip", members),
        ("gzip", lambda text: gzip.compress(text) + bytes(512)),
        ("gzip", lambda text: gzip.compress(text) + b"what is this?"),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("deflate", gzip.compress),
    ],
)
@pytest.mark.parametrize("size", [1, 11, 10_000])
def test_a_compressed_body_is_inflated_however_it_is_cut(encoding: str, compress: Any, size: int) -> None:
    compressed = compress(TEXT)
    reads = [compressed[start : start + size] for start in range(0, len(compressed), size)]
    assert b"".join(piece or b"" for piece in read_through(body_of(*reads, encoding=encoding))) == TEXT


def test_a_wait_in_a_compressed_body_is_told() -> None:
    compressed = gzip.compress(TEXT)
    assert None in read_through(body_of(compressed[:20], None, compressed[20:], encoding="gzip"))


def test_little_comes_out_of_a_bomb_at_once() -> None:
    pieces = read_through(body_of(gzip.compress(bytes(1_000_000)), encoding="gzip"), 1000)
    assert max(len(piece or b"") for piece in pieces) == 1000
    assert len(pieces) == 1000


def test_a_compressed_body_that_is_cut_is_broken() -> None:
    with pytest.raises(UpstreamBroken, match="cut"):
        read_through(body_of(gzip.compress(TEXT)[:-9], encoding="gzip"))


@pytest.mark.parametrize(
    "reads",
    [
        [zlib.compress(b"")[:2], *[b"\0\0\0\xff\xff" * 1000] * 100],
        [gzip.compress(TEXT), *[b"junk" * 1000] * 100],
        [b"\x1f\x8b\x08\x08" + bytes(6), *[b"a name without end" * 1000] * 100],
    ],
)
def test_what_comes_to_nothing_is_not_read_for_ever(reads: list[bytes]) -> None:
    """The worker would do nothing else: who reads what is never late does not wait."""
    with pytest.raises(UpstreamBroken, match="nothing"):
        read_through(body_of(*reads, encoding="deflate"))


def test_a_body_that_is_not_what_it_says_raises_what_the_caller_maps() -> None:
    with pytest.raises(zlib.error):
        read_through(body_of(b"plain", encoding="gzip"))


def test_an_unknown_compression_cannot_be_read() -> None:
    with pytest.raises(UpstreamBroken, match="not asked for"):
        read_through(body_of(b"x", encoding="br"))


def test_a_response_does_not_hold_its_request() -> None:
    request = Outbound("POST", "http://up.example/", {}, b"large", Patience())
    response = response_of(request, body_of(b"Hi"))
    assert (response.status_code, response.url) == (200, "http://up.example/")
    assert request not in vars(response).values()
