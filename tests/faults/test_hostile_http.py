"""HTTP that no honest client sends."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KEY, MESSAGES, Client, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import error_of, unique

HOST = "Host: localhost"


def post(*fields: str, body: bytes = b"{}", path: str = MESSAGES) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        HOST,
        "Content-Type: application/json",
        f"Authorization: Bearer {KEY}",
        *fields,
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


def smuggled(model: str) -> bytes:
    return request_bytes(MESSAGES, request_body(MESSAGES, model, False))


SMUGGLING = {
    "length-and-chunked": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "chunked-and-length": ["Transfer-Encoding: chunked", "Content-Length: 4"],
    "two-lengths": ["Content-Length: 2", "Content-Length: 20"],
    "list-of-lengths": ["Content-Length: 2, 20"],
    "signed-length": ["Content-Length: +2"],
    "hex-length": ["Content-Length: 0x2"],
    "underscored-length": ["Content-Length: 1_0"],
    "blank-in-length": ["Content-Length: 1 0"],
    "negative-length": ["Content-Length: -1"],
    "xchunked": ["Transfer-Encoding: xchunked"],
    "identity": ["Transfer-Encoding: identity"],
    "chunked-twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "chunked-first": ["Transfer-Encoding: chunked, identity"],
    "vertical-tab": ["Transfer-Encoding: \x0bchunked"],
    "blank-before-colon": ["Transfer-Encoding : chunked"],
    "folded": ["Transfer-Encoding:", " chunked"],
    "folded-length": ["Content-Length:", "\t2"],
    "underscored-name": ["Content_Length: 2"],
    "same-length-twice": ["Content-Length: 2", "Content-Length: 2"],
    "list-of-one-length": ["Content-Length: 2, 2"],
    "superscript-length": ["Content-Length: \xb2"],
    "chunked-with-parameter": ["Transfer-Encoding: chunked;q=1"],
    "chunked-quoted": ['Transfer-Encoding: "chunked"'],
    "chunked-and-nothing": ["Transfer-Encoding: chunked,"],
    "two-hosts": ["Host: evil.example", "Content-Length: 2"],
    "null-in-value": ["X-A: a\0b", "Content-Length: 2"],
    "bare-cr": ["X-A: a\rContent-Length: 2"],
    "bare-lf": ["X-A: a\nContent-Length: 40"],
    "no-colon": ["Content-Length 2"],
    "empty-name": [": 2"],
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_no_request_is_smuggled(server: GunicornServer, upstream: RawUpstream, name: str) -> None:
    model = unique("good")
    with Client(server.port) as client:
        client.send(post(*SMUGGLING[name], body=b"0\r\n\r\n" + smuggled(model)))
        client.sock.shutdown(1)
        received = b""
        while piece := client.sock.recv(65536):
            received += piece
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses
    assert all(400 <= status < 600 and status != 500 for status in statuses)
    assert upstream.calls_of(model) == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"0_2\r\n{}\r\n0\r\n\r\n",
        b"-0\r\n\r\n",
        b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        b"2;a\rb\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_no_request_is_smuggled_behind_odd_chunks(server: GunicornServer, upstream: RawUpstream, chunks: bytes) -> None:
    model = unique("good")
    with Client(server.port) as client:
        client.send(post("Transfer-Encoding: chunked", body=chunks + smuggled(model)))
        assert client.reply().status == 400
        assert client.closed(5)
    assert upstream.calls_of(model) == []


@pytest.mark.parametrize(
    "line",
    [
        "POST /v1/messages HTTP/9.9",
        "POST /v1/messages",
        "POST  /v1/messages HTTP/1.1",
        "POST /v1/messages HTTP/1.1 x",
        "PO\0ST /v1/messages HTTP/1.1",
        "POST /v1/mess\x01ages HTTP/1.1",
        "GET /" + "a" * 9000 + " HTTP/1.1",
        "\x16\x03\x01\x02",
        "PRI * HTTP/2.0",
    ],
)
def test_odd_request_lines(server: GunicornServer, line: str) -> None:
    reply = raw(server.port, f"{line}\r\n{HOST}\r\n\r\n".encode("latin-1"))
    assert 400 <= reply.status < 500
    error_of(reply, MESSAGES if MESSAGES in line else CHAT)


def test_too_many_and_too_large_headers(server: GunicornServer) -> None:
    for fields in ([f"X-{number}: 1" for number in range(200)], [f"X-Large: {'x' * 9000}"]):
        for path in (CHAT, MESSAGES):
            reply = raw(server.port, post(*fields, path=path))
            assert reply.status == 431
            error_of(reply, path)


REFUSED_AT_ONCE = {
    "a head that is refused": (["X_Name: a", "Content-Length: 8000000"], b"", b" " * 1_000_000),
    "a chunk that is none": (["Transfer-Encoding: chunked"], b"zz\r\n", b"1\r\n \r\n" * 100_000),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("name", REFUSED_AT_ONCE)
def test_who_is_refused_at_once_gets_to_the_answer(server: GunicornServer, name: str, path: str) -> None:
    """Most clients look for it when they have sent all they have, and by then a connection may have been reset."""
    fields, begin, more = REFUSED_AT_ONCE[name]
    with Client(server.port) as client:
        client.send(post(*fields, body=begin, path=path))
        for _ in range(8):
            client.send(more)
            time.sleep(0.02)
        reply = client.reply()
        assert reply.status == 400
        error_of(reply, path)
        assert client.closed(1)


@pytest.mark.parametrize("path", [CHAT, MESSAGES, f"{MESSAGES}/count_tokens"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "HEAD"])
def test_wrong_methods(server: GunicornServer, method: str, path: str) -> None:
    with Client(server.port) as client:
        client.send(request_bytes(path, b"", method=method))
        reply = client.reply(head_only=method == "HEAD")
        assert reply.status == 405
        assert "POST" in reply.headers["allow"]
        if method != "HEAD":
            error_of(reply, CHAT if path == CHAT else MESSAGES)
        assert client.ask(CHAT, unique("good"), False).status == 200, "the connection is in step"


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/messages/batches",
        "//v1/messages",
        "/v1//messages",
        "/v1/../v1/messages",
        "/v1/%2e%2e/messages",
        "/v1/messages%00",
        "/v1/messages%0d%0aX-A:%20b",
        "/v1/messages;a=b",
        "/V1/MESSAGES",
        "/v1/%ff%fe",
        "/v1/messages/../../etc/passwd",
        "/%",
        "/\xe4",
        "*",
        "http://evil.example/v1/nothing",
    ],
)
def test_odd_paths(server: GunicornServer, upstream: RawUpstream, path: str) -> None:
    model = unique("good")
    for method in ("POST", "GET"):
        body = request_body(MESSAGES, model, False) if method == "POST" else b""
        data = request_bytes(path, body, "anthropic-version: 2023-06-01", method=method)
        reply = raw(server.port, data)
        assert reply.status < 500
        if reply.status >= 400:
            assert reply.json["error"]["message"]


@pytest.mark.parametrize(
    "value",
    ["k\r\nX-Evil: 1", "k\nX-Evil: 1", "k\rX-Evil: 1", "k\0", "k%0d%0aX-Evil: 1", "k\x85X-Evil: 1", "k\u00e9"],
)
@pytest.mark.parametrize("name", ["x-api-key", "anthropic-beta", "anthropic-version", "x-request-id", "user-agent"])
def test_no_header_is_injected_upstream_or_back(
    server: GunicornServer, upstream: RawUpstream, name: str, value: str
) -> None:
    model = unique("good")
    body = request_body(MESSAGES, model, False)
    fields = [f"POST {MESSAGES} HTTP/1.1", HOST, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    fields.append(f"Authorization: Bearer {KEY}")
    reply = raw(server.port, "\r\n".join([*fields, f"{name}: {value}", "\r\n"]).encode("latin-1") + body)
    assert reply.status in (200, 400)
    assert "x-evil" not in reply.headers
    if "\r\n" not in value:
        assert all("x-evil" not in call.headers for call in upstream.calls_of(model))


def test_hop_by_hop_headers_and_cookies_stay_here(server: GunicornServer, upstream: RawUpstream) -> None:
    model = unique("good")
    fields = ["Cookie: a=b", "Connection: keep-alive, X-Secret", "X-Secret: 1", "Keep-Alive: 5", "TE: trailers"]
    fields += [
        "Proxy-Authorization: Basic abc",
        "Upgrade: websocket",
        "Forwarded: for=1.2.3.4",
        "X-Forwarded-For: 1.2.3.4",
    ]
    reply = raw(server.port, request_bytes(MESSAGES, request_body(MESSAGES, model, False), *fields))
    assert reply.status == 200
    (call,) = upstream.calls_of(model)
    sent = {field.partition(":")[0].lower() for field in fields}
    assert not sent & set(call.headers)
    assert call.headers["authorization"] == f"Bearer {KEY}"


def test_head_of_health(server: GunicornServer) -> None:
    with Client(server.port) as client:
        client.send(f"HEAD /health HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        reply = client.reply(head_only=True)
        assert reply.status == 200
        client.send(f"GET /health HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        assert client.reply().json == {"status": "ok"}


def large_head(size: int) -> bytes:
    """A head of `size` bytes in fields of 8 KB, without its end."""
    field = b"X-Large: " + b"a" * 8000 + b"\r\n"
    return (f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode() + field * (size // len(field) + 1))[:size]


def test_a_head_as_a_whole_is_bounded(server: GunicornServer) -> None:
    assert raw(server.port, large_head(50_000) + b"\r\n\r\n").status == 200
    assert raw(server.port, large_head(100_000)).status == 431


def test_large_heads_do_not_stop_service(server: GunicornServer) -> None:
    """What is there of an unfinished head is searched on each read: the larger it may be, the more each byte costs."""

    def unfinished(number: int) -> None:
        with Client(server.port) as client, contextlib.suppress(OSError):
            client.send(large_head(700_000))

    with ThreadPoolExecutor(50) as pool:
        sent = pool.map(unfinished, range(150))
        for _ in range(5):
            assert raw(server.port, request_bytes("/health", b"", method="GET"), 20).seconds < 2
        list(sent)


def test_nothing_that_a_client_names_is_fetched(
    server: GunicornServer, upstream: RawUpstream, elsewhere: RawUpstream
) -> None:
    """Neither a base URL in the request nor the URL of an image, as other gateways have done."""
    url = f"http://127.0.0.1:{elsewhere.port}/secret.png"
    before = elsewhere.accepted
    parts = {
        CHAT: [{"type": "image_url", "image_url": {"url": url.replace("http:", "https:")}}],
        MESSAGES: [{"type": "image", "source": {"type": "url", "url": url}}],
    }
    for path, content in parts.items():
        for suffix in ("", "/count_tokens") if path == MESSAGES else ("",):
            model = unique("good")
            named = dict.fromkeys(("api_base", "base_url", "upstream", "user_config", "model_list"), url)
            body = request_body(path, model, False, messages=[{"role": "user", "content": content}], **named)
            fields = [f"X-Forwarded-Host: 127.0.0.1:{elsewhere.port}", f"X-Upstream: {url}", f"Referer: {url}"]
            assert raw(server.port, request_bytes(path + suffix, body, *fields)).status == 200
            assert upstream.calls_of(model)
    assert elsewhere.accepted == before
