"""The real Anthropic SDK through gunicorn: everything is passed through."""

import json
import random
from typing import Any

import anthropic
import pytest

from tests.fake_upstream import FakeUpstream
from tests.live.conftest import PNG, Service

MODEL = "claude-sonnet-4-6"
IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
TOOLS: list[Any] = [
    {
        "name": name,
        "description": f"The {name} of a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name in ("weather", "time")
]
CALLS = '[[tool:weather {"city": "Zürich 🏔"}]] [[tool:time {"city": "Paris"}]] [[text]]'


def message_of(client: anthropic.Anthropic, stream: bool, **request: Any) -> Any:
    request = {"model": MODEL, "max_tokens": 4000} | request
    if not stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as events:
        return events.get_final_message()


@pytest.mark.parametrize("stream", [False, True])
def test_plain_text(claude: anthropic.Anthropic, stream: bool) -> None:
    message = message_of(claude, stream, messages=[{"role": "user", "content": "Grüße 🤔"}])
    assert message.content[0].text == "You said: Grüße 🤔"
    assert (message.stop_reason, message.model) == ("end_turn", MODEL)
    assert message.usage.input_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_two_rounds_with_parallel_calls_images_and_thinking(claude: anthropic.Anthropic, stream: bool) -> None:
    request: dict[str, Any] = {"tools": TOOLS, "thinking": {"type": "adaptive"}}
    content: Any = [{"type": "text", "text": f"{CALLS} {random.random()}"}, IMAGE]
    messages: list[Any] = [{"role": "user", "content": content}]
    first = message_of(claude, stream, messages=messages, **request)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert first.stop_reason == "tool_use"
    weather, clock = first.content[2:]
    assert (weather.input, clock.input) == ({"city": "Zürich 🏔"}, {"city": "Paris"})
    messages.append({"role": "assistant", "content": first.content})
    shown: Any = [{"type": "text", "text": "sunny"}, IMAGE]
    results: Any = [
        {"type": "tool_result", "tool_use_id": weather.id, "content": shown},
        {"type": "tool_result", "tool_use_id": clock.id, "content": "12:00"},
    ]
    messages.append({"role": "user", "content": results})
    second = message_of(claude, stream, messages=messages, **request)
    assert second.stop_reason == "end_turn"
    assert "sunny <image>" in second.content[-1].text
    assert "12:00" in second.content[-1].text


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_runner_keeps_its_conversation(
    claude: anthropic.Anthropic, upstream: FakeUpstream, stream: bool
) -> None:
    """It asks for a thread on the server and, where none is kept, sends the whole history in each turn."""

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: its name
        """
        return f"sunny in {city}"

    prompt = f'[[tool:weather {{"city": "Zürich"}}]] {random.random()}'
    runner: Any = claude.beta.messages.tool_runner(
        model=MODEL, max_tokens=1000, tools=[weather], stream=stream, messages=[{"role": "user", "content": prompt}]
    )
    final = runner.until_done()
    assert final.stop_reason == "end_turn"
    assert "sunny in Zürich" in final.content[-1].text
    sent = upstream.requests[-1].body
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert "thread" not in sent


def test_bodies_and_headers_pass_unchanged(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    raw = claude.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=10,
        messages=[{"role": "user", "content": "hi"}],
        extra_headers={"anthropic-beta": "context-management-2025-06-27"},
        metadata={"user_id": '{"a": 1}'},
    )
    request = upstream.requests[-1]
    assert request.raw == raw.http_request.content
    assert request.headers["anthropic-version"] == raw.http_request.headers["anthropic-version"]
    assert request.headers["anthropic-beta"] == "context-management-2025-06-27"
    assert request.headers["authorization"] == raw.http_request.headers["authorization"]
    assert "x-api-key" not in request.headers
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "50"
    assert raw.parse()._request_id == raw.headers["request-id"]
    assert raw.headers["request-id"] == raw.headers["x-upstream-request-id"]


ERRORS = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (409, anthropic.ConflictError, "conflict_error"),
    (413, anthropic.RequestTooLargeError, "request_too_large"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "type"), ERRORS)
def test_errors(
    claude: anthropic.Anthropic, status: int, kind: type[anthropic.APIStatusError], type: str, stream: bool
) -> None:
    messages: Any = [{"role": "user", "content": f"[[error:{status}]] no luck"}]
    with pytest.raises(kind) as raised:
        claude.messages.create(model=MODEL, max_tokens=10, messages=messages, stream=stream)
    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert (body["error"]["type"], "no luck" in body["error"]["message"]) == (type, True)
    assert raised.value.request_id == body["request_id"]
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("trouble", ["[[error-midstream]]", "[[cut]]"])
def test_an_error_in_the_middle_of_a_stream(claude: anthropic.Anthropic, trouble: str) -> None:
    messages: Any = [{"role": "user", "content": f"{trouble} [[repeat:20]] text"}]
    read: list[str] = []
    with (
        claude.messages.stream(model=MODEL, max_tokens=999, messages=messages) as stream,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        read.extend(stream.text_stream)
    assert "".join(read)
    assert raised.value.body


def test_what_the_proxy_itself_refuses(service: Service) -> None:
    with service.anthropic(key="bad-key") as claude, pytest.raises(anthropic.AuthenticationError):
        claude.messages.create(model=MODEL, max_tokens=1, messages=[{"role": "user", "content": "hi"}])
    with service.anthropic() as claude, pytest.raises(anthropic.NotFoundError) as raised:
        claude.messages.batches.list()
    assert raised.value.request_id


def test_models(claude: anthropic.Anthropic) -> None:
    assert [model.id for model in claude.models.list(limit=2)] == ["glm-4.5", "glm-4.5v", "gpt-4o"]
    assert claude.models.retrieve("gpt-4o").display_name == "gpt-4o"
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("no/such:model[1m]")


def test_counting(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    request: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": [IMAGE]}], "tools": TOOLS}
    assert claude.messages.count_tokens(**request).input_tokens > 0
    assert upstream.requests[-1].path == "/v1/messages/count_tokens"
    raw = claude.messages.with_raw_response.count_tokens(**request)
    body = json.loads(raw.http_response.content)
    assert body["token_count"] == body["input_tokens"] == body["usage"]["prompt_tokens"]


def test_a_stream_is_not_held_back(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    messages: Any = [{"role": "user", "content": "[[slow:0.05]] [[repeat:6]] some text"}]
    with claude.messages.stream(model=MODEL, max_tokens=999, messages=messages) as stream:
        next(iter(stream.text_stream))
        assert not upstream.requests[-1].finished.is_set()
    assert upstream.requests[-1].finished.wait(3)
    assert upstream.requests[-1].caller_left, "a client that leaves ends the upstream's work"
