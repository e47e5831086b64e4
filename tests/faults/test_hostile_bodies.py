"""Bodies that no honest client sends: always a 4xx in the right API's shape, never a 500, a page or a hang."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KEY, MESSAGES, Client, Reply, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import error_of, unique

PATHS = [CHAT, MESSAGES]
COUNT = "/v1/messages/count_tokens"
DEEP = 100_000
LONG_DIGITS = "9" * 5000


def with_field(name: str, value: str) -> bytes:
    body = request_body(CHAT, "good", False)
    return body[:-1] + f', "{name}": {value}}}'.encode()


BODIES = {
    "empty": b"",
    "blank": b"  \r\n ",
    "no-json": b"hello",
    "cut-json": request_body(CHAT, "good", False)[:-5],
    "two-values": b"{}{}",
    "array": b"[]",
    "string": b'"hello"',
    "null": b"null",
    "number": b"1",
    "deep-arrays": with_field("metadata", "[" * DEEP + "]" * DEEP),
    "deep-objects": with_field("metadata", '{"a":' * DEEP + "1" + "}" * DEEP),
    "unclosed": b"[" * DEEP,
    "nan": with_field("temperature", "NaN"),
    "infinity": with_field("temperature", "-Infinity"),
    "huge-float": with_field("temperature", "1e999"),
    "huge-int": with_field("max_tokens", LONG_DIGITS),
    "huge-int-elsewhere": with_field("seed", LONG_DIGITS),
    "doubled-key": b'{"model": "good", "model": "other", "messages": [], "max_tokens": 1}',
    "bad-utf-8": with_field("user", '"').replace(b'"}', b'\xff\xfe"}'),
    "overlong-utf-8": with_field("user", '"\\"').replace(b"\\", b"\xc0\xaf"),
    "utf-16": request_body(CHAT, "good", False).decode().encode("utf-16"),
    "utf-32": request_body(CHAT, "good", False).decode().encode("utf-32"),
    "lone-surrogate": with_field("user", '"\\ud800"'),
    "surrogate-key": with_field("\\udfff", "1"),
    "control-character": with_field("user", '"a\x00b"'),
    "single-quotes": b"{'model': 'good'}",
    "trailing-comma": b'{"model": "good",}',
    "comment": b'{"model": "good"} // yes',
    "bomb": b'{"metadata": [' + b"{}," * 1_100_000 + b"{}]}",
}


def check(reply: Reply, path: str, statuses: tuple[int, ...] = (400,)) -> dict[str, object]:
    assert reply.status in statuses, reply.body[:300]
    return error_of(reply, path if path == CHAT else MESSAGES)


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COUNT])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_honest_json(server: GunicornServer, upstream: RawUpstream, name: str, path: str) -> None:
    before = len(upstream.calls)
    reply = raw(server.port, request_bytes(path, BODIES[name]))
    check(reply, path)
    assert reply.seconds < 3
    assert len(upstream.calls) == before


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("temperature", "NaN", "temperature"),
        ("stop", '["a", "\\ud800"]', "stop[1]"),
        ("user", '{"a": 1, "a": 2}', "user.a"),
    ],
)
def test_the_path_of_what_is_wrong_is_named(server: GunicornServer, name: str, value: str, param: str) -> None:
    error = check(raw(server.port, request_bytes(CHAT, with_field(name, value))), CHAT)
    assert error["param"] == param


FIELDS = """
model messages max_tokens max_completion_tokens temperature top_p top_k n stop stream stream_options tools tool_choice
parallel_tool_calls response_format reasoning_effort user metadata seed logit_bias logprobs functions function_call
modalities system stop_sequences thinking service_tier
""".split()  # noqa: SIM905
WRONG = [None, True, -1, 1.5, "", "x", [], [1], [[]], [None], {}, {"a": {"b": []}}, [{"type": 7}], {"type": [7]}]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COUNT])
@pytest.mark.parametrize("depth", ["request", "message", "part"])
def test_wrong_types_at_every_field(server: GunicornServer, path: str, depth: str) -> None:
    """Never a 500; a 400 of ours names the field. /v1/messages leaves them to the upstream, which here takes all."""
    fields = {"request": FIELDS, "message": ["role", "content", "tool_calls", "name", "tool_call_id", "refusal"]}
    with Client(server.port) as client:
        for name in fields.get(depth, ["type", "text", "image_url", "input_audio", "file", "source", "input", "id"]):
            for value in WRONG:
                body: dict[str, object] = {"model": unique("good"), "max_tokens": 9}
                part, message = {"type": "text", "text": "Hi"}, {"role": "user", "content": "Hi"}
                place = {"request": body, "message": message, "part": part}[depth]
                body["messages"] = [message if depth != "part" else {"role": "user", "content": [part]}]
                place[name] = value
                client.send(request_bytes(path, json.dumps(body).encode()))
                reply = client.reply()
                assert reply.status in (200, 400), (name, value, reply)
                if reply.status == 400:
                    error = error_of(reply, path if path == CHAT else MESSAGES)
                    named = error["param"] if path == CHAT else error["message"]
                    assert name in str(named) or depth != "request", (name, value, error)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Type: text/plain"],
        ["Content-Type: application/x-www-form-urlencoded"],
        ["Content-Type: multipart/form-data; boundary=x"],
        ["Content-Type: text/plain; application/json"],
        ["Content-Type: text/plain, application/json"],
        ["Content-Type: application/json, text/plain"],
        ["Origin: https://evil.example"],
        ["Origin: null"],
        ["Sec-Fetch-Site: cross-site"],
    ],
    ids=["text", "form", "multipart", "disguised", "two", "two-more", "no-type", "no-type-opaque", "no-type-no-origin"],
)
def test_what_a_web_page_may_post_without_asking(
    server: GunicornServer, upstream: RawUpstream, path: str, fields: list[str]
) -> None:
    model = unique("good")
    body = request_body(path, model, False)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Authorization: Bearer k", f"Content-Length: {len(body)}"]
    lines += [*fields, "\r\n"]
    check(raw(server.port, "\r\n".join(lines).encode() + body), path, (415, 403))
    assert upstream.calls_of(model) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_client_without_content_type_is_no_web_page(server: GunicornServer, path: str) -> None:
    body = request_body(path, unique("good"), False)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {KEY}",
        f"Content-Length: {len(body)}",
        "\r\n",
    ]
    assert raw(server.port, "\r\n".join(lines).encode() + body).status == 200


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COUNT])
@pytest.mark.parametrize("coding", ["gzip", "GZip", "br", "zstd", "identity, deflate"])
def test_a_compressed_body_is_refused_as_such(server: GunicornServer, path: str, coding: str) -> None:
    body = gzip.compress(request_body(path, unique("good"), False))
    with Client(server.port) as client:
        client.send(request_bytes(path, body, f"Content-Encoding: {coding}"))
        error = check(client.reply(), path, (415,))
        assert "without Content-Encoding" in str(error["message"])
        client.send(request_bytes(path, request_body(path, unique("good"), False), "Content-Encoding: utf-8"))
        assert client.reply().status == 200, "which is no compression, only a mistake of some clients"


def chunked(path: str, *chunks: bytes, fields: tuple[str, ...] = ()) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}", *fields]
    lines += ["Content-Type: application/json", "Transfer-Encoding: chunked", "\r\n"]
    return "\r\n".join(lines).encode() + b"".join(chunks)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("path", PATHS)
def test_a_chunked_body_is_read(server: GunicornServer, path: str) -> None:
    body = request_body(path, unique("good"), False)
    with Client(server.port) as client:
        for size in (1, 10, len(body)):
            pieces = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
            client.send(chunked(path, *pieces, b"0\r\n\r\n"))
            assert client.reply().status == 200


BAD_CHUNKS = {
    "no-size": b"zz\r\nhello\r\n0\r\n\r\n",
    "negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "hex-prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
    "no-line-end": b"5\r\nhelloX0\r\n\r\n",
    "too-long": b"f" * 40 + b"\r\nhello\r\n",
    "bare-lf": b"5\nhello\n0\n\n",
    "long-extension": b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    "bad-trailer": b"2\r\n{}\r\n0\r\nno colon here\r\n\r\n",
    "bare-lf-trailer": b"2\r\n{}\r\n0\r\nA: b\nC: d\r\n\r\n",
    "endless-trailer": b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 200,
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_bad_chunks(server: GunicornServer, path: str, name: str) -> None:
    with Client(server.port) as client:
        client.send(chunked(path, BAD_CHUNKS[name]) + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if name in ("no-line-end", "endless-trailer", "too-long"):
            client.sock.shutdown(1)
        check(client.reply(), path, (400, 413))
        assert client.closed(2), "where the next request begins is not known"


@pytest.mark.parametrize("path", PATHS)
def test_a_body_shorter_than_its_length_is_not_sent(server: GunicornServer, upstream: RawUpstream, path: str) -> None:
    model = unique("good")
    body = request_body(path, model, False)
    with Client(server.port) as client:
        client.send(request_bytes(path, body + b"   ")[:-3])
        client.sock.shutdown(1)
        check(client.reply(), path)
    assert upstream.calls_of(model) == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", PATHS)
def test_a_body_above_the_limit(patient_server: GunicornServer, path: str, framing: str) -> None:
    """MAX_BODY_BYTES is 1,000,000 here."""
    body = json.dumps({"model": "good", "messages": [{"role": "user", "content": "x" * 1_000_000}], "max_tokens": 1})
    data = body.encode()
    with Client(patient_server.port) as client:
        if framing == "length":
            client.send(request_bytes(path, data))
        else:
            client.send(
                chunked(path, *(chunk(data[at : at + 50_000]) for at in range(0, len(data), 50_000)), b"0\r\n\r\n")
            )
        reply = client.reply()
        error = check(reply, path, (413,))
        assert path == CHAT or error["type"] == "request_too_large"
        assert client.ask(path, unique("good"), False).status == 200, "the connection goes on"


def test_a_body_announced_as_endless(patient_server: GunicornServer) -> None:
    def announced(path: str) -> None:
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
        with Client(patient_server.port) as client:
            client.send("\r\n".join([*lines, "Authorization: Bearer k", f"Content-Length: {10**18}", "\r\n"]).encode())
            check(client.reply(), path, (413,))
            assert client.closed(5)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(announced, PATHS))


def test_expect_100_continue(server: GunicornServer) -> None:
    body = request_body(CHAT, unique("good"), False)
    head = request_bytes(CHAT, body, "Expect: 100-continue").removesuffix(body)
    with Client(server.port) as client:
        client.send(head)
        assert client.reply().status == 100
        client.send(body)
        assert client.reply().status == 200


def test_the_limit_of_32_megabytes_is_open_to_honest_requests(server: GunicornServer, upstream: RawUpstream) -> None:
    model = unique("good")
    text = "x" * (31 * 1024 * 1024)
    body = request_body(MESSAGES, model, False, messages=[{"role": "user", "content": text}])
    assert raw(server.port, request_bytes(MESSAGES, body), 20).status == 200
    assert upstream.call_of(model).body["messages"][0]["content"] == text


@pytest.mark.parametrize("framed", ["body", "arguments"])
def test_a_string_without_end_stops_nobody(server: GunicornServer, framed: str) -> None:
    """Looked for from each of its escaped quotes anew, its end kept a worker busy until it was killed."""
    hostile = b'"' + b'\\"' * 150_000
    if framed == "body":
        body = b"[" + b"," * 1_000_001 + hostile
    else:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{" * 200 + hostile.decode()}}
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]}]
        body = json.dumps({"model": unique("good"), "messages": messages}).encode()
    worker = server.worker.pid
    reply = raw(server.port, request_bytes(CHAT, body), 20)
    assert reply.status == (400 if framed == "body" else 200)
    assert reply.seconds < 10
    assert server.worker.pid == worker
    assert raw(server.port, request_bytes("/health", b"", method="GET")).seconds < 1
