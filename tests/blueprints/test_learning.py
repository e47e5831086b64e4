"""A 400 that names a refused feature is answered by one retry without it; what was learned stays."""

import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, STREAM, Proxy, sent

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
    error = {"type": "invalid_request_error", "message": "metadata.user_id: odd 'max_tokens: 9 > 1'"}
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
