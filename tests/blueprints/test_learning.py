"""A 400 that names a refused feature is answered by one retry without it; what was learned stays."""

import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, STREAM, Proxy, sent
from tests.blueprints.late_upstream import KEEPALIVE, LateUpstream, kept_alive
from tests.faults.raw_upstream import Call, RawUpstream

PATH = "/v1/chat/completions"
WARM: dict[str, Any] = CHAT_REQUEST | {"temperature": 0.5, "stop": ["END"]}


def refusing(*fields: str) -> Any:
    """An upstream whose 400s name each of `fields`, one at a time."""

    def answer(request: Any) -> tuple[int, dict[str, str], bytes | str]:
        body = json.loads(request.body)
        for field in fields:
            if field in body:
                error = {"type": "invalid_request_error", "message": f"{field}: Extra inputs are not permitted"}
                return 400, {}, json.dumps({"type": "error", "error": error})
        return (200, {}, STREAM) if body.get("stream") else (200, {}, json.dumps(MESSAGE))

    return answer


@pytest.mark.parametrize("stream", [False, True])
def test_one_retry_that_is_remembered_and_shown(
    proxy: Proxy, upstream: responses.RequestsMock, capsys: pytest.CaptureFixture[str], stream: bool
) -> None:
    upstream.add_callback(responses.POST, MESSAGES, callback=refusing("temperature"))
    client = proxy()
    first = client.post(PATH, json=WARM | {"stream": stream})
    assert first.status_code == 200
    assert len(upstream.calls) == 2
    assert sent(upstream, 0)["temperature"] == 0.5
    assert "temperature" not in sent(upstream, 1)
    assert first.headers["x-proxy-learned"] == "temperature"
    second = client.post(PATH, json=WARM | {"stream": stream})
    assert len(upstream.calls) == 3
    assert second.headers["x-proxy-learned"] == "temperature"
    assert capsys.readouterr().err.count("learned that") == 1
    other_model = client.post(PATH, json=WARM | {"stream": stream, "model": "other-model"})
    assert other_model.status_code == 200
    assert len(upstream.calls) == 5


def test_never_a_second_retry(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.add_callback(responses.POST, MESSAGES, callback=refusing("temperature", "stop_sequences"))
    client = proxy()
    first = client.post(PATH, json=WARM)
    assert first.status_code == 400
    assert first.json["error"]["param"] == "stop_sequences"
    assert len(upstream.calls) == 2
    # The first lesson was proved by the second refusal; the second is learned by the next request.
    assert client.post(PATH, json=WARM).status_code == 200
    assert len(upstream.calls) == 4
    assert client.post(PATH, json=WARM).status_code == 200
    assert len(upstream.calls) == 5


def test_switched_off(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.add_callback(responses.POST, MESSAGES, callback=refusing("temperature"))
    answer = proxy(LEARN_FROM_REFUSALS="false").post(PATH, json=WARM)
    assert answer.status_code == 400
    assert answer.json["error"]["param"] == "temperature"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 529])
def test_other_refusals_teach_nothing(proxy: Proxy, upstream: responses.RequestsMock, status: int) -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "temperature: Extra inputs are not permitted"}}
    upstream.post(MESSAGES, json=error, status=status)
    assert proxy().post(PATH, json=WARM).status_code >= 400
    assert len(upstream.calls) == 1


def test_a_refusal_of_something_else_teaches_nothing(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 5 > 4"}}
    upstream.post(MESSAGES, json=error, status=400)
    assert proxy().post(PATH, json=WARM).status_code == 400
    assert len(upstream.calls) == 1


def test_a_passed_through_request_is_never_changed(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.add_callback(responses.POST, MESSAGES, callback=refusing("temperature"))
    body = CHAT_REQUEST | {"max_tokens": 9, "temperature": 0.5}
    assert proxy().post("/v1/messages", json=body).status_code == 400
    assert len(upstream.calls) == 1


def test_strict_params_and_headers_of_a_learned_request(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    """What a lesson leaves out is told like everything else that is left out."""
    upstream.add_callback(responses.POST, MESSAGES, callback=refusing("temperature"))
    answer = proxy().post(PATH, json=WARM)
    assert "temperature" in answer.headers["x-proxy-ignored"]


def test_a_sentence_that_quotes_the_client_teaches_nothing(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    """What one client makes an upstream say must not change the requests of another."""
    error = {"type": "invalid_request_error", "message": QUOTED}
    upstream.post(MESSAGES, json={"type": "error", "error": error}, status=400)
    client = proxy()
    body = CHAT_REQUEST | {"max_tokens": 100}
    assert client.post(PATH, json=body).status_code == 400
    upstream.replace(responses.POST, MESSAGES, json=MESSAGE)
    answer = client.post(PATH, json=body)
    assert "x-proxy-learned" not in answer.headers
    assert sent(upstream, -1)["max_tokens"] == 100


def test_a_retry_that_would_be_the_same_request_is_not_sent(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    error = {"type": "invalid_request_error", "message": "cache_control: Extra inputs are not permitted"}
    upstream.post(MESSAGES, json={"type": "error", "error": error}, status=400)
    assert proxy().post(PATH, json=CHAT_REQUEST).status_code == 400
    assert len(upstream.calls) == 1


# --- refusals that come after the stream was kept alive

QUOTED = "metadata.user_id: odd 'max_tokens: 9 > 1'"


def refusing_late(*fields: str, status: int = 400, message: str = "") -> LateUpstream:
    """`refusing`, by refusals that come late and with `status`; `message` stands for its words."""

    def answer(call: Call) -> tuple[int, bytes]:
        for field in fields:
            if field in call.body:
                said = message or f"{field}: Extra inputs are not permitted"
                error = {"type": "invalid_request_error", "message": said}
                return status, json.dumps({"type": "error", "error": error}).encode()
        return 200, STREAM if call.body.get("stream") else json.dumps(MESSAGE).encode()

    return LateUpstream(answer)


@pytest.mark.parametrize("status", [400, 422])
def test_a_late_refusal_is_answered_by_one_retry_too(status: int) -> None:
    late = refusing_late("temperature", status=status)
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw)
        frames = [(frame, len(raw.calls)) for frame in late.read(client.post(PATH, json=WARM | {"stream": True}))]
        calls_when_kept_alive = {calls for frame, calls in frames if frame == KEEPALIVE}
        # 0: the fake upstream's thread has yet to note the request that it has received.
        assert calls_when_kept_alive - {0} == {1, 2}, "kept alive during the retry too"
        stream = b"".join(frame for frame, _ in frames)
        assert b'"content":"Hello"' in stream
        assert b'"error"' not in stream
        assert stream.endswith(b"data: [DONE]\n\n")
        assert ["temperature" in call.body for call in raw.calls] == [True, False]
        assert client.post(PATH, json=WARM).headers["x-proxy-learned"] == "temperature"
        assert len(raw.calls) == 3


def test_never_a_second_retry_of_a_late_refusal() -> None:
    late = refusing_late("temperature", "stop_sequences")
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw)
        stream = b"".join(late.read(client.post(PATH, json=WARM | {"stream": True})))
        assert stream.count(b'"error"') == 1
        assert b'"param":"stop_sequences"' in stream
        assert len(raw.calls) == 2
        # The first lesson was proved by the second refusal.
        assert b'"content":"Hello"' in b"".join(late.read(client.post(PATH, json=WARM | {"stream": True})))
        assert len(raw.calls) == 4


def test_a_late_refusal_teaches_nothing_when_switched_off() -> None:
    late = refusing_late("temperature")
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw, LEARN_FROM_REFUSALS="false")
        assert b'"param":"temperature"' in b"".join(late.read(client.post(PATH, json=WARM | {"stream": True})))
        assert len(raw.calls) == 1


def test_a_late_lesson_counts_only_once_the_upstream_got_past_its_refusal() -> None:
    """One that quotes the client comes again, whatever is left out."""
    late = refusing_late("max_tokens", message=QUOTED)
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw)
        for asked in (1, 2):
            answer = client.post(PATH, json=CHAT_REQUEST | {"max_tokens": 100, "stream": True})
            assert b'"error"' in b"".join(late.read(answer))
            assert [call.body["max_tokens"] for call in raw.calls] == [100, 1] * asked


def test_what_a_late_refusal_takes_from_a_strict_client_is_told_in_the_stream() -> None:
    late = refusing_late("temperature")
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw, STRICT_PARAMS="true")
        *waiting, last = late.read(client.post(PATH, json=WARM | {"stream": True}))
        assert set(waiting) == {KEEPALIVE}
        assert json.loads(last.removeprefix(b"data: "))["error"]["param"] == "temperature"
        assert len(raw.calls) == 1
