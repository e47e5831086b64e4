"""POST /v1/messages is passed through: bytes, status and headers survive in both directions."""

import io
import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import MESSAGE, MESSAGES, MESSAGES_REQUEST, STREAM, Proxy, events, sent, sent_headers

ODD_BODY = (
    b'{ "stream" :false,"max_tokens":5 ,\n\t"messages":[{"role":"user","content":"caf\xc3\xa9 \\u00e9 \\/"}],\r\n'
    b'"betas_of_tomorrow":[1.0,1e2,{"model":"inner"}] , "model" : "glm-4.5" ,"metadata":{"user_id":"{\\"a\\":1}"}}'
)
ODD_ANSWER = (
    b'{"type":"message", "id":"msg_1","content":[{"type":"block_of_tomorrow","x":1.50}] ,'
    b'"stop_reason":"reason_of_tomorrow","usage":{"input_tokens":1,"output_tokens":2,"credits":0.10},"new":null }\n'
)


def post(proxy: Proxy, body: bytes, headers: dict[str, str] | None = None, **environ: str) -> Any:
    return proxy(**environ).post("/v1/messages", data=body, content_type="application/json", headers=headers)


def test_bodies_pass_byte_by_byte(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, body=ODD_ANSWER, content_type="application/json; charset=utf-8")
    answer = post(proxy, ODD_BODY)
    assert upstream.calls[0].request.body == ODD_BODY
    assert answer.data == ODD_ANSWER
    assert answer.mimetype == "application/json"


def test_a_mapped_model_changes_no_other_byte(proxy: Proxy, answering: responses.RequestsMock) -> None:
    answer = post(proxy, ODD_BODY, MODEL_MAP_JSON='{"glm-4.5": "vendor/\\u00fc [1m]"}')
    assert answering.calls[0].request.body == ODD_BODY.replace(b'"glm-4.5"', b'"vendor/\\u00fc [1m]"')
    assert answer.headers["x-upstream-model"] == "vendor/\\xfc [1m]"


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused_where_nobody_keeps_it(
    proxy: Proxy, answering: responses.RequestsMock, thread: dict[str, str]
) -> None:
    """A continued thread carries only what is new: an upstream that ignored the field would lose the conversation."""
    body = json.dumps(MESSAGES_REQUEST | {"thread": thread}).encode()
    answer = post(proxy, body, {"anthropic-beta": "message-threads-2026-08-12"})
    error = answer.json["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    assert not answering.calls
    assert post(proxy, body, PROFILE_OVERRIDES_JSON='{"*": {"message_threads": true}}').status_code == 200
    assert answering.calls[0].request.body == body


def test_a_request_without_thread_says_so(proxy: Proxy, answering: responses.RequestsMock) -> None:
    body = json.dumps(MESSAGES_REQUEST | {"thread": None}).encode()
    assert post(proxy, body).status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"max_tokens":1}', b'{"model":"glm-4.5","max_tokens":1}'),
        (b' { "max_tokens":1}', b' {"model":"glm-4.5", "max_tokens":1}'),
        (b"{}", b'{"model":"glm-4.5"}'),
        (b'{"model":null,"max_tokens":1}', b'{"model":"glm-4.5","max_tokens":1}'),
        (b'{"model":"","max_tokens":1}', b'{"model":"glm-4.5","max_tokens":1}'),
    ],
)
def test_a_missing_model_is_added(
    proxy: Proxy, answering: responses.RequestsMock, body: bytes, expected: bytes
) -> None:
    assert post(proxy, body).status_code == 200
    assert answering.calls[0].request.body == expected


def test_what_the_client_says_to_anthropic_survives(proxy: Proxy, answering: responses.RequestsMock) -> None:
    said = {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "a-2025-01-01, b-2026-01-01,c",
        "anthropic-workspace-id": "wrk_1",
        "anthropic-header-of-tomorrow": "x",
        "anthropic-dangerous-direct-browser-access": "true",
        "idempotency-key": "idem",
        "x-stainless-lang": "python",
        "user-agent": "claude-cli/9",
        "x-app": "cli",
    }
    post(proxy, ODD_BODY, said | {"x-api-key": "sk-client"})
    headers = sent_headers(answering)
    assert headers.items() >= (said | {"anthropic-beta": "a-2025-01-01,b-2026-01-01,c"}).items()
    assert headers["x-api-key"] == "sk-client"


def test_repeated_beta_headers_are_joined(proxy: Proxy, answering: responses.RequestsMock) -> None:
    headers = [("anthropic-beta", "a,b"), ("anthropic-beta", "c"), ("anthropic-beta", "a")]
    proxy().post("/v1/messages", json=MESSAGES_REQUEST, headers=headers)
    assert sent_headers(answering)["anthropic-beta"] == "a,b,c"


def test_versions_and_betas_by_default(proxy: Proxy, answering: responses.RequestsMock) -> None:
    post(proxy, ODD_BODY)
    headers = sent_headers(answering)
    assert headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in headers
    post(proxy, ODD_BODY, {"anthropic-beta": " , "})
    assert "anthropic-beta" not in sent_headers(answering)
    post(proxy, ODD_BODY, FORCE_ANTHROPIC_BETA="true")
    assert sent_headers(answering)["anthropic-beta"] == "prompt-caching-2024-07-31"
    asked = {"anthropic-beta": "x-2026-01-01,y"}
    post(proxy, ODD_BODY, asked, FORCE_ANTHROPIC_BETA="true", DEFAULT_ANTHROPIC_BETA="y, z")
    assert sent_headers(answering)["anthropic-beta"] == "x-2026-01-01,y,z"


def test_nothing_else_goes_upstream(proxy: Proxy, answering: responses.RequestsMock) -> None:
    private = {
        "cookie": "session=1",
        "host": "localhost:5000",
        "x-forwarded-for": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "via": "1.1 x",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "te": "trailers",
        "upgrade": "h2c",
        "proxy-authorization": "Basic eA==",
        "accept-encoding": "gzip, br, zstd",
        "origin": "https://page.example",
        "referer": "https://page.example/secret",
        "openai-organization": "org",
    }
    post(proxy, ODD_BODY, private | {"authorization": "Bearer sk-client"})
    assert set(sent_headers(answering)) == {
        "accept-encoding",
        "anthropic-version",
        "authorization",
        "content-type",
        "user-agent",
        "x-request-id",
    }
    assert sent_headers(answering)["accept-encoding"] == "identity"
    assert sent_headers(answering)["content-type"] == "application/json"


KEPT = {
    "request-id": "req_1",
    "retry-after": "7",
    "retry-after-ms": "7000",
    "x-should-retry": "true",
    "anthropic-organization-id": "org_1",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-22T12:00:00Z",
    "anthropic-priority-input-tokens-limit": "10",
    "anthropic-fast-of-tomorrow": "1",
}
DROPPED = {
    "set-cookie": "__cf_bm=1; path=/",
    "server": "cloudflare",
    "connection": "close",
    "keep-alive": "timeout=5",
    "alt-svc": "h3",
    "strict-transport-security": "max-age=1",
    "access-control-allow-origin": "*",
    "via": "1.1 google",
    "cf-ray": "1",
    "x-powered-by": "x",
}


@pytest.mark.parametrize("status", [200, 429, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_headers_that_come_back(proxy: Proxy, upstream: responses.RequestsMock, status: int, stream: bool) -> None:
    body = STREAM if stream else json.dumps(MESSAGE).encode()
    if status != 200:
        body = (
            b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id":"req_1"}'
        )
    upstream.post(MESSAGES, body=body, status=status, headers=KEPT | DROPPED, content_type="application/json")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": stream})
    assert answer.status_code == status
    assert answer.data == body
    given = {name.lower(): value for name, value in answer.headers}
    assert given.items() >= KEPT.items()
    assert not given.keys() & DROPPED.keys()
    assert given["x-upstream-model"] == "some-model"
    assert given["x-upstream-request-id"] == "req_1"


@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_has_a_request_id(proxy: Proxy, upstream: responses.RequestsMock, stream: bool) -> None:
    """Anthropic's SDKs show it as `_request_id`; most compatible upstreams give none, or by another name."""
    upstream.post(MESSAGES, body=STREAM if stream else json.dumps(MESSAGE), headers={"x-log-id": "log_1"})
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": stream})
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["x-upstream-request-id"] == "log_1"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 529])
def test_native_errors_pass_with_their_status(proxy: Proxy, upstream: responses.RequestsMock, status: int) -> None:
    body = (
        b'{"type":"error", "error":{"type":"api_error","message":"no","details":{"error_code":"x"}},"request_id":"r"}\n'
    )
    upstream.post(MESSAGES, body=body, status=status, content_type="application/json")
    answer = post(proxy, ODD_BODY)
    assert (answer.status_code, answer.data) == (status, body)


def test_foreign_errors_take_anthropics_shape(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, body="<html><h1>502 Bad Gateway</h1></html>", status=502, content_type="text/html")
    answer = post(proxy, ODD_BODY)
    assert answer.status_code == 502
    assert answer.json["error"] == {"type": "api_error", "message": "502 Bad Gateway"}
    assert answer.headers["request-id"] == answer.json["request_id"]


def test_streams_pass_byte_by_byte(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    stream = events(
        {"type": "message_start", "message": MESSAGE},
        {"type": "ping"},
        {"type": "event_of_tomorrow", "model": "x", "delta": {"type": "delta_of_tomorrow"}},
    ).replace(b'": ', b'":  ') + (b': a comment\n\nid: 7\nevent: message_stop\ndata: {"type": "message_stop"  }\n\n')
    upstream.post(MESSAGES, body=stream, content_type="text/event-stream; charset=utf-8")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.data == stream
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    assert "no-cache" in answer.headers["cache-control"]


@pytest.mark.parametrize("line", ['{"type":"message_stop"}', "{}"])
def test_the_end_is_known_by_either_name_and_told_by_both(
    proxy: Proxy, upstream: responses.RequestsMock, line: str
) -> None:
    """Some upstreams leave `type` out of the data and some the event line; SDKs need both."""
    named = line == "{}"
    end = (b"event: message_stop\n" if named else b"") + f"data: {line}\n\n".encode()
    stream = STREAM.rpartition(b"event: message_stop")[0]
    upstream.post(MESSAGES, body=stream + end + b"data: [DONE]\n\n", content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.data == stream + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@pytest.mark.parametrize("split", [1, 7, 61, 4096])
def test_a_stream_without_event_lines_gets_them(proxy: Proxy, upstream: responses.RequestsMock, split: int) -> None:
    bare = b"\n".join(line for line in STREAM.split(b"\n") if not line.startswith(b"event:"))
    upstream.post(MESSAGES, body=Pieces(bare, split), content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    written = [line for line in answer.data.split(b"\n\n") if line]
    assert [frame.split(b"\n")[0] for frame in written] == [
        line for line in STREAM.split(b"\n") if line.startswith(b"event:")
    ]
    assert [json.loads(frame.split(b"data: ")[1]) for frame in written] == [
        json.loads(line[6:]) for line in STREAM.split(b"\n") if line.startswith(b"data:")
    ]


def test_a_cut_stream_ends_with_an_error(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    cut = STREAM[: STREAM.index(b"event: content_block_stop")]
    upstream.post(MESSAGES, body=cut, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    passed, _, last = answer.data.partition(b"event: error\ndata: ")
    assert passed == cut
    assert json.loads(last)["error"]["type"] == "api_error"


def test_an_error_before_the_first_event_has_a_status(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.post(MESSAGES, body=events(error), content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.status_code == 529
    assert answer.json["error"] == error["error"]


FOREIGN_ERRORS = [
    (b'data: {"error":{"code":"1305","message":"Busy"}}\n\n', 529, "overloaded_error"),
    (b'event: error\ndata: {"type":"overloaded_error","message":"Busy"}\n\n', 529, "overloaded_error"),
    (b'data: {"base_resp":{"status_code":1002,"status_msg":"Busy"}}\n\ndata: [DONE]\n\n', 429, "rate_limit_error"),
    (
        b'event: error\ndata: {"error":{"message":"Busy","type":"x","code":"rate_limit_exceeded"}}',
        429,
        "rate_limit_error",
    ),
    (b"event: error\ndata: Busy\n\n", 500, "api_error"),
    (b'{"detail": "Busy"}\n', 500, "api_error"),
]


@pytest.mark.parametrize(("frame", "status", "type"), FOREIGN_ERRORS)
def test_an_error_of_another_shape_becomes_anthropics(
    proxy: Proxy, upstream: responses.RequestsMock, frame: bytes, status: int, type: str
) -> None:
    upstream.post(MESSAGES, body=frame, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert (answer.status_code, answer.json["error"]) == (status, {"type": type, "message": "Busy"})
    begun = STREAM[: STREAM.index(b"event: content_block_stop")]
    upstream.replace(responses.POST, MESSAGES, body=begun + frame, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    passed, _, last = answer.data.partition(b"event: error\ndata: ")
    assert passed == begun
    error = json.loads(last)
    request_id = answer.headers["x-request-id"]
    assert error.pop("request_id", request_id) == request_id
    assert error == {"type": "error", "error": {"type": type, "message": "Busy"}}


def test_an_error_in_anthropics_shape_passes_in_mid_stream(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    error = b'event: error\ndata: {"type":"error", "error":{"type":"api_error","message":"m","details":null}}\n\n'
    begun = STREAM[: STREAM.index(b"event: content_block_stop")]
    upstream.post(MESSAGES, body=begun + error, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.data == begun + error


@pytest.mark.parametrize(
    "body", [b"", b": processing\n\n", b"data: [DONE]\n\n", b"event: ping\n\n", b"<html>no</html>"]
)
def test_a_stream_that_tells_nothing_has_a_status_of_its_own(
    proxy: Proxy, upstream: responses.RequestsMock, body: bytes
) -> None:
    upstream.post(MESSAGES, body=body, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert (answer.status_code, answer.json["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize("split", [1, 7, 4096])
def test_comments_before_the_first_event(proxy: Proxy, upstream: responses.RequestsMock, split: int) -> None:
    """They pass, but only once it is known that no error follows them."""
    comment = b": processing\n\n: still processing\n\n"
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.post(MESSAGES, body=Pieces(comment + events(error), split), content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.status_code == 529
    upstream.replace(responses.POST, MESSAGES, body=Pieces(comment + STREAM, split), content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.data == comment + STREAM


@pytest.mark.parametrize("split", [*range(1, 30), 64, 1000])
def test_streams_pass_however_they_are_cut(proxy: Proxy, upstream: responses.RequestsMock, split: int) -> None:
    upstream.post(MESSAGES, body=Pieces(STREAM, split), content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.data == STREAM


class Pieces(io.BufferedReader):
    """A body that comes in small reads."""

    def __init__(self, body: bytes, size: int) -> None:
        super().__init__(io.BytesIO(body))  # type: ignore[arg-type]
        self._size = size

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(self._size)


def test_a_stream_that_was_not_asked_for(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream")
    answer = post(proxy, ODD_BODY)
    assert answer.json["content"] == [{"type": "text", "text": "Hello"}]
    assert answer.json["stop_reason"] == "end_turn"


def test_json_where_a_stream_was_asked_for(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, json=MESSAGE)
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.mimetype == "text/event-stream"
    assert b'"text_delta"' in answer.data
    assert answer.data.endswith(b"\n\n")


@pytest.mark.parametrize(("status", "location"), [(301, "https://evil.test/"), (307, "/other"), (308, "http://x/")])
def test_redirects_are_not_followed(proxy: Proxy, upstream: responses.RequestsMock, status: int, location: str) -> None:
    upstream.post(MESSAGES, status=status, headers={"location": location})
    answer = post(proxy, ODD_BODY, {"x-api-key": "sk-client"})
    assert answer.status_code == 502
    assert len(upstream.calls) == 1
    assert "evil" not in answer.text


def test_cookies_are_neither_kept_nor_sent(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, json=MESSAGE, headers={"set-cookie": "a=1"})
    client = proxy()
    for _ in range(2):
        client.post("/v1/messages", json=MESSAGES_REQUEST)
    assert "cookie" not in sent_headers(upstream)
    assert sent(upstream) == MESSAGES_REQUEST


def test_an_error_behind_pings_has_a_status_of_its_own(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    ping = 'event: ping\ndata: {"type": "ping"}\n\n'
    error = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    upstream.post(
        MESSAGES, body=f": hi\n\n{ping}{ping}event: error\ndata: {error}\n\n", content_type="text/event-stream"
    )
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.status_code == 529


def test_pings_before_the_first_event_are_not_lost(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    ping = b'event: ping\rdata: {"type": "ping"}\r\r'
    upstream.post(MESSAGES, body=ping + STREAM, content_type="text/event-stream")
    answer = proxy().post("/v1/messages", json=MESSAGES_REQUEST | {"stream": True})
    assert answer.get_data() == ping + STREAM
