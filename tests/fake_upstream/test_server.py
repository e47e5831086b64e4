"""The fake over sockets, driven by the real anthropic SDK, and behind the `responses` library."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import requests
import responses

from tests.fake_upstream import LEGAL_HEADERS, FakeUpstream, responses_callback
from tests.fake_upstream.cases import TOOL, body
from tests.fake_upstream.error_shapes import ERROR_SHAPES
from tests.fake_upstream.personalities import PERSONALITIES

SONNET = "claude-sonnet-4-6"
SENT_WITH: Any = {"headers": dict(LEGAL_HEADERS), "timeout": 10}
ASK: Any = {"max_tokens": 4096, "tools": [TOOL]}


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


@pytest.fixture
def client(upstream: FakeUpstream) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="good-key", base_url=upstream.base_url, max_retries=0) as sdk:
        yield sdk


def post(fake: FakeUpstream, text: str, *, stream: bool = False, **fields: Any) -> requests.Response:
    sent = body(text, **{"model": SONNET, "stream": stream, **fields})
    return requests.post(f"{fake.base_url}/v1/messages", json=sent, **SENT_WITH)


def loop(client: anthropic.Anthropic, model: str, *, streamed: bool) -> list[Any]:
    """A conversation of two parallel calls and their results; the messages answered."""
    said: Any = [{"role": "user", "content": '[[think]] [[tool:get_weather {"city": "Paris"}]] [[tool:#0]]'}]
    answers = []
    for _ in range(2):
        if streamed:
            with client.messages.stream(model=model, messages=said, **ASK) as stream:
                answer: Any = stream.get_final_message()
        else:
            answer = client.messages.create(model=model, messages=said, **ASK)
        calls = [block for block in answer.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "20 degrees"} for call in calls]
        said += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        answers.append(answer)
    return answers


@pytest.mark.parametrize("model", ["claude-opus-4-5", SONNET, "claude-opus-4-7", "claude-opus-5-5", "glm-4.6"])
@pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])
def test_the_sdk_finishes_a_tool_loop_with_thinking(
    client: anthropic.Anthropic, upstream: FakeUpstream, model: str, streamed: bool
) -> None:
    before = len(upstream.refusals)
    first, second = loop(client, model, streamed=streamed)
    assert [block.type for block in first.content] == ["thinking", "tool_use", "tool_use"]
    assert [block.input for block in first.content[1:]] == [{"city": "Paris"}, {"city": "sample"}]
    assert (first.stop_reason, second.stop_reason) == ("tool_use", "end_turn")
    assert second.content[-1].text.count("returned: 20 degrees") == 2
    assert len(upstream.refusals) == before


def test_the_sdk_sees_the_same_message_either_way(client: anthropic.Anthropic) -> None:
    streamed, buffered = (loop(client, SONNET, streamed=each) for each in (True, False))
    for one, other in zip(streamed, buffered, strict=True):
        assert [block.to_dict() for block in one.content] == [block.to_dict() for block in other.content]
        assert one.usage.model_dump() == other.usage.model_dump()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[error:429]]", anthropic.RateLimitError),
        ("[[error:529]]", anthropic.APIStatusError),
        ("[[error:403]]", anthropic.PermissionDeniedError),
    ],
)
def test_the_sdk_raises_the_error_asked_for(
    client: anthropic.Anthropic, text: str, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.messages.create(model=SONNET, max_tokens=5, messages=[{"role": "user", "content": text}])
    assert str(caught.value.status_code) in text
    assert caught.value.request_id == caught.value.response.headers["request-id"]


def test_the_sdk_raises_in_midstream(client: anthropic.Anthropic) -> None:
    said: Any = [{"role": "user", "content": "[[error-midstream]] hello there"}]
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(model=SONNET, max_tokens=5, messages=said) as stream,
    ):
        stream.get_final_message()


def test_the_sdk_counts_and_lists(client: anthropic.Anthropic) -> None:
    said: Any = [{"role": "user", "content": "hello"}]
    assert client.messages.count_tokens(model=SONNET, messages=said).input_tokens > 0
    listed = list(client.models.list(limit=5))
    assert len(listed) > 5
    assert client.models.retrieve(listed[-1].id).id == listed[-1].id
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nobody"):
        client.models.retrieve("claude-nobody")


def test_refusals_come_in_anthropic_s_shape_and_are_recorded(upstream: FakeUpstream) -> None:
    answer = post(upstream, "hello", seed=1)
    assert answer.status_code == 400
    assert answer.json() == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "seed: Extra inputs are not permitted",
            "details": None,
        },
        "request_id": answer.headers["request-id"],
    }
    recorded = upstream.requests[-1]
    assert (recorded.method, recorded.path, recorded.status) == ("POST", "/v1/messages", 400)
    assert recorded.body["seed"] == 1
    assert json.loads(recorded.raw) == recorded.body
    assert recorded.headers["x-api-key"] == "any-key"
    assert recorded.refusal is upstream.refusals[-1]


@pytest.mark.parametrize(
    ("method", "path", "raw", "status", "message"),
    [
        ("POST", "/v1/messages", b"{", 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", b'{"model": NaN}', 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", b"\xff", 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", b'{"model": "claude-does-not-exist"}', 404, "model: claude-does-not-exist"),
        ("POST", "/v1/messages", b"{}", 400, "model: Field required"),
        ("POST", "/v1/messages", b"[]", 400, "Input should be a valid dictionary"),
        ("POST", "/v1/messages", b" " * (32 * 1024 * 1024 + 1), 413, "Request exceeds the maximum size"),
        ("GET", "/v1/messages", b"", 405, "Method Not Allowed"),
        ("POST", "/v1/complete", b"{}", 404, "Not found"),
        ("POST", "/v1/v1/messages", b"{}", 404, "Not found"),
    ],
)
def test_the_transport_is_judged(
    upstream: FakeUpstream, method: str, path: str, raw: bytes, status: int, message: str
) -> None:
    answer = requests.request(method, upstream.base_url + path, data=raw, **SENT_WITH)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)


def test_a_base_path_and_a_query_are_ignored(upstream: FakeUpstream) -> None:
    url = f"{upstream.base_url}/api/anthropic/v1/messages?beta=true"
    assert requests.post(url, json=body(model=SONNET), **SENT_WITH).status_code == 200


@pytest.mark.parametrize("name", PERSONALITIES)
def test_errors_come_in_the_personality_s_shape(name: str) -> None:
    with FakeUpstream(name) as fake:
        error = post(fake, "[[error:429]]")
        refused = post(fake, "hello", seed=1)
    assert (error.status_code, error.headers["retry-after"]) == (429, "7")
    assert "seed: Extra inputs are not permitted" in refused.text
    keys = {"z.ai": {"code", "message"}, "llama.cpp": {"code", "message", "type"}}.get(name)
    assert keys is None or set(error.json()["error"]) == keys
    assert name != "z.ai" or error.json()["error"]["code"] == "1302"


@pytest.mark.parametrize("shape", ERROR_SHAPES)
def test_errors_come_in_any_shape_with_any_status(upstream: FakeUpstream, shape: str) -> None:
    answer = post(upstream, f"[[error:500]] [[error-status:200]] [[error-shape:{shape}]] it broke")
    assert answer.status_code == 200
    assert ("it broke" in answer.text) is (shape != "nothing")


def test_ollama_has_no_count_tokens() -> None:
    with FakeUpstream("ollama", strict=False) as fake:
        counted = requests.post(f"{fake.base_url}/v1/messages/count_tokens", json=body(), timeout=10)
        listed = requests.get(f"{fake.base_url}/v1/models", timeout=10)
    assert (counted.status_code, listed.json()["object"]) == (404, "list")


def test_a_lenient_upstream_is_lenient_only_when_asked() -> None:
    odd = body(" ", model="glm-4.6", seed=1)
    with FakeUpstream("z.ai", strict=False) as lenient, FakeUpstream("z.ai") as strict:
        taken = requests.post(f"{lenient.base_url}/v1/messages", json=odd, **SENT_WITH)
        keyless = requests.post(f"{lenient.base_url}/v1/messages", json=odd, timeout=10)
        refused = post(strict, " ", model="glm-4.6")
    assert (taken.status_code, keyless.status_code, refused.status_code) == (200, 401, 400)


def test_bodies_come_as_json_or_as_sse_against_the_request(upstream: FakeUpstream) -> None:
    whole = post(upstream, "[[json-instead-of-sse]] hello", stream=True)
    assert whole.json()["content"][0]["text"] == "You said: hello"
    stream = post(upstream, "[[sse-instead-of-json]] hello")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.count("event: message_stop") == 1


def test_a_stream_is_cut_in_single_bytes(upstream: FakeUpstream) -> None:
    split = post(upstream, "[[split:1]] hello 🤔", stream=True)
    assert upstream.requests[-1].finished.wait(5)
    assert upstream.requests[-1].pieces_sent == len(split.content)
    assert "🤔" in split.text


def test_a_stream_ends_as_asked(upstream: FakeUpstream) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(upstream, "[[drop]] hello", stream=True)
    open_ended = post(upstream, "[[close-delimited]] hello", stream=True)
    assert "transfer-encoding" not in open_ended.headers
    assert "message_stop" in open_ended.text


def test_headers_are_added_as_asked(upstream: FakeUpstream) -> None:
    assert post(upstream, "[[header:set-cookie=a=b]] hello").headers["set-cookie"] == "a=b"


def test_a_caller_who_leaves_is_noticed(upstream: FakeUpstream) -> None:
    url, sent = f"{upstream.base_url}/v1/messages", body("[[slow:5]] hello", model=SONNET, stream=True)
    before = len(upstream.requests)
    with requests.post(url, json=sent, **SENT_WITH, stream=True) as answer:
        assert answer.raw.read1(16)
    assert upstream.requests[before].finished.wait(2)
    assert upstream.requests[before].caller_left


def test_a_wait_delays_the_head(upstream: FakeUpstream) -> None:
    started = time.monotonic()
    post(upstream, "[[wait:0.1]] hello")
    assert time.monotonic() - started >= 0.1


def test_connections_are_kept(upstream: FakeUpstream) -> None:
    with requests.Session() as session:
        for stream in (True, False, True):
            sent = body("hello", model=SONNET, stream=stream)
            session.post(f"{upstream.base_url}/v1/messages", json=sent, **SENT_WITH)
        adapter: Any = session.get_adapter("http://")
        [key] = adapter.poolmanager.pools.keys()
        assert adapter.poolmanager.pools[key].num_connections == 1


@responses.activate
def test_the_responses_callback_answers_alike(upstream: FakeUpstream) -> None:
    url = "https://upstream.test/v1/messages"
    fake = responses_callback()
    responses.add_passthru(upstream.base_url)
    responses.add_callback(responses.POST, url, callback=fake)
    for stream in (False, True):
        sent = body("hello", model=SONNET, stream=stream)
        mocked = requests.post(url, json=sent, **SENT_WITH)
        direct = post(upstream, "hello", stream=stream)
        assert mocked.content == direct.content
        assert mocked.headers["content-type"] == direct.headers["content-type"]
    refused = requests.post(url, json=body(model=SONNET, seed=1), **SENT_WITH)
    assert refused.status_code == 400
    assert [request.status for request in fake.requests] == [200, 200, 400]
    assert fake.requests[-1].refusal is not None


def test_it_starts_by_hand() -> None:
    command = [sys.executable, "-m", "tests.fake_upstream", "--port", "0", "--personality", "z.ai"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        name, _, url = process.stderr.readline().strip().partition(" at ")
        answer = requests.get(f"{url}/v1/models", timeout=10)
        process.terminate()
    assert (name, answer.status_code) == ("z.ai", 404)
