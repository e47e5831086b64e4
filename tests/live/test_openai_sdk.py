"""The real OpenAI SDK through gunicorn: answers, streams, tools, images, structured output, errors."""

import json
import random
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.fake_upstream import FakeUpstream
from tests.live.conftest import PNG, Service

MODEL = "claude-sonnet-4-5"
IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The {name} of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "time")
]
CALLS = '[[tool:weather {"city": "Zürich 🏔"}]] [[tool:time {"city": "Paris"}]] [[text]]'


def completed(client: openai.OpenAI, stream: bool, **request: Any) -> Any:
    """The completion's first choice; streamed, as the SDK itself accumulates it."""
    if not stream:
        return client.chat.completions.create(**request).choices[0]
    with client.chat.completions.stream(**request) as events:
        return events.get_final_completion().choices[0]


@pytest.mark.parametrize("stream", [False, True])
def test_plain_text(chat: openai.OpenAI, stream: bool) -> None:
    choice = completed(chat, stream, model=MODEL, messages=[{"role": "user", "content": "Grüße 🤔"}])
    assert choice.message.content == "You said: Grüße 🤔"
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_two_rounds_with_parallel_calls_and_images(chat: openai.OpenAI, upstream: FakeUpstream, stream: bool) -> None:
    content: Any = [{"type": "text", "text": f"{CALLS} {random.random()}"}, IMAGE]
    messages: list[Any] = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}]
    first = completed(chat, stream, model=MODEL, messages=messages, tools=TOOLS)
    assert first.finish_reason == "tool_calls"
    calls = first.message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)["city"]) for call in calls] == [
        ("weather", "Zürich 🏔"),
        ("time", "Paris"),
    ]
    assert len({call.id for call in calls}) == 2
    messages.append(first.message.model_dump(exclude_none=True))
    shown: Any = [{"type": "text", "text": "sunny"}, IMAGE]
    messages.append({"role": "tool", "tool_call_id": calls[1].id, "content": "12:00"})
    messages.append({"role": "tool", "tool_call_id": calls[0].id, "content": shown})
    messages.append({"role": "user", "content": "Thanks, and now?"})
    second = completed(chat, stream, model=MODEL, messages=messages, tools=TOOLS)
    assert second.finish_reason == "stop"
    assert "12:00" in second.message.content
    assert "sunny <image>" in second.message.content
    assert "Thanks, and now?" in second.message.content
    turns = upstream.requests[-1].body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    results = [block for block in turns[2]["content"] if block["type"] == "tool_result"]
    assert turns[2]["content"][: len(results)] == results
    assert [result["tool_use_id"] for result in results] == [call.id for call in calls]


def test_the_shape_of_a_stream(chat: openai.OpenAI) -> None:
    request: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": CALLS}], "tools": TOOLS}
    chunks = list(chat.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    assert {chunk.model for chunk in chunks} == {"gpt-4o"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    indexes = [call.index for chunk in chunks[:-1] for call in chunk.choices[0].delta.tool_calls or []]
    assert sorted(set(indexes)) == [0, 1]
    assert [c.choices[0].finish_reason for c in chunks[:-1] if c.choices[0].finish_reason] == ["tool_calls"]
    plain = list(chat.chat.completions.create(**request, stream=True))
    assert all(chunk.usage is None for chunk in plain)


def test_headers(chat: openai.OpenAI) -> None:
    raw = chat.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], seed=1
    )
    assert raw.headers["x-upstream-model"] == MODEL
    assert raw.headers["x-proxy-ignored"] == "seed"
    assert raw.headers["x-upstream-request-id"].startswith("req_")
    assert raw.headers["x-ratelimit-limit-requests"] == "50"
    assert raw.parse()._request_id == raw.headers["x-request-id"]


class Person(BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("model", [MODEL, "glm-4.6"])
def test_structured_output(chat: openai.OpenAI, model: str) -> None:
    """Natively where the upstream has it, else by a forced tool: the SDK reads the same."""
    request: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Who?"}]}
    answer = chat.chat.completions.parse(**request, response_format=Person)
    with chat.chat.completions.stream(**request, response_format=Person) as events:
        streamed = events.get_final_completion()
    for choice in (answer.choices[0], streamed.choices[0]):
        assert isinstance(choice.message.parsed, Person)
        assert choice.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_that_the_client_sends_back(chat: openai.OpenAI, upstream: FakeUpstream, stream: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": f"[[think]] {CALLS} {random.random()}"}]
    request: dict[str, Any] = {"model": MODEL, "tools": TOOLS, "reasoning_effort": "low"}
    first = completed(chat, stream, messages=messages, **request).message
    blocks = first.model_extra["thinking_blocks"]
    assert first.model_extra["reasoning_content"]
    assert blocks[0]["signature"]
    messages.append(first.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in first.tool_calls]
    completed(chat, stream, messages=messages, **request)
    sent_back = upstream.requests[-1].body["messages"][1]["content"]
    assert sent_back[0] == {"type": "thinking", "thinking": blocks[0]["thinking"], "signature": blocks[0]["signature"]}


ERRORS = [
    (400, openai.BadRequestError, None),
    (401, openai.AuthenticationError, "invalid_api_key"),
    (403, openai.PermissionDeniedError, "permission_denied"),
    (404, openai.NotFoundError, None),
    (409, openai.ConflictError, None),
    (429, openai.RateLimitError, "rate_limit_exceeded"),
    (500, openai.InternalServerError, None),
    (529, openai.InternalServerError, "overloaded"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "code"), ERRORS)
def test_errors(
    chat: openai.OpenAI, status: int, kind: type[openai.APIStatusError], code: str | None, stream: bool
) -> None:
    messages: Any = [{"role": "user", "content": f"[[error:{status}]] no luck"}]
    with pytest.raises(kind) as raised:
        chat.chat.completions.create(model=MODEL, messages=messages, stream=stream)
    assert "no luck" in raised.value.message
    assert raised.value.code == code or code is None
    assert raised.value.request_id
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "times"), [(400, 1), (401, 1), (404, 1), (500, 2), (529, 2)])
def test_the_sdk_asks_again_as_often_as_it_was_told(
    service: Service, upstream: FakeUpstream, status: int, times: int, stream: bool
) -> None:
    """Each try reaches the upstream once: the proxy adds none of its own, and none that was useless."""
    before = len(upstream.requests)
    messages: Any = [{"role": "user", "content": f"[[error:{status}]]"}]
    with service.openai() as chat, pytest.raises(openai.APIStatusError):
        chat.with_options(max_retries=1).chat.completions.create(model=MODEL, messages=messages, stream=stream)
    assert len(upstream.requests) - before == times


def test_a_client_that_waits_no_longer_ends_the_upstreams_work(service: Service, upstream: FakeUpstream) -> None:
    messages: Any = [{"role": "user", "content": "[[wait:20]] slow"}]
    with service.openai() as chat, pytest.raises(openai.APITimeoutError):
        chat.with_options(timeout=0.5).chat.completions.create(model=MODEL, messages=messages)
    assert upstream.requests[-1].finished.wait(3)
    assert upstream.requests[-1].caller_left


def test_an_error_in_the_middle_of_a_stream(chat: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "[[error-midstream]] [[repeat:20]] text"}]
    stream = chat.chat.completions.create(model=MODEL, messages=messages, stream=True)
    read: list[Any] = []
    with pytest.raises(openai.APIError) as raised:
        read.extend(stream)
    assert any(chunk.choices[0].delta.content for chunk in read)
    assert not isinstance(raised.value, openai.APIConnectionError)
    assert raised.value.body


def test_a_cut_stream_is_an_error(chat: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "[[cut]] [[repeat:20]] text"}]
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        list(chat.chat.completions.create(model=MODEL, messages=messages, stream=True))


def test_what_the_proxy_itself_refuses(service: Service) -> None:
    with service.openai() as chat:
        with pytest.raises(openai.BadRequestError) as raised:
            chat.chat.completions.create(model=MODEL, messages=[])
        assert raised.value.param == "messages"
        with pytest.raises(openai.NotFoundError):
            chat.embeddings.create(model="x", input="y")
    with service.openai(key="bad-key") as chat, pytest.raises(openai.AuthenticationError):
        chat.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])


def test_models(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == ["glm-4.5", "glm-4.5v", "gpt-4o"]
    assert chat.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        chat.models.retrieve("no/such:model[1m]")


def test_a_stream_is_not_held_back(chat: openai.OpenAI, upstream: FakeUpstream) -> None:
    """Each delta reaches the client before the upstream has sent the last one."""
    messages: Any = [{"role": "user", "content": "[[slow:0.05]] [[repeat:6]] some text"}]
    stream = chat.chat.completions.create(model=MODEL, messages=messages, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    assert not upstream.requests[-1].finished.is_set()
    stream.close()
    assert upstream.requests[-1].finished.wait(3)
    assert upstream.requests[-1].caller_left, "a client that leaves ends the upstream's work"
