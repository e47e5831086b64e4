"""The sandbox over a socket, driven by the real Anthropic SDK."""

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import anthropic
import pytest
import requests
from pydantic import BaseModel

from tests.sandbox.server import SandboxServer
from tests.sandbox.sse_reader import parsed

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PNG: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])


@pytest.fixture
def client(sandbox_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sandbox_url, api_key="unused", max_retries=0, timeout=10) as client:
        yield client


def created(client: anthropic.Anthropic, streamed: bool, content: Any, **fields: Any) -> Any:
    return continued(client, streamed, [{"role": "user", "content": content}], **fields)


def continued(client: anthropic.Anthropic, streamed: bool, messages: list[Any], **fields: Any) -> Any:
    request = {"model": "sandbox", "max_tokens": 2_000, "messages": messages, **fields}
    if not streamed:
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


@STREAMED
def test_plain_text(client: anthropic.Anthropic, streamed: bool) -> None:
    message = created(client, streamed, "Good morning")
    assert "Good morning" in message.content[0].text
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 10


def test_streamed_message_is_the_plain_one(client: anthropic.Anthropic) -> None:
    fields: Any = {"tools": [WEATHER], "thinking": {"type": "adaptive"}}
    plain = created(client, False, "get_weather for Paris and Rome", **fields).to_dict()
    streamed = created(client, True, "get_weather for Paris and Rome", **fields).to_dict()
    assert streamed["content"] == plain["content"]
    assert streamed["usage"] == plain["usage"]
    assert (streamed["id"], streamed["stop_reason"]) == (plain["id"], plain["stop_reason"])


@STREAMED
def test_two_rounds_with_parallel_calls_and_an_image(client: anthropic.Anthropic, streamed: bool) -> None:
    question = [PNG, {"type": "text", "text": "Is it like this in Paris and in Rome? Use get_weather."}]
    first = created(client, streamed, question, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    assert first.content[0].text.startswith("I see 1 image (image/png).")
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"sun in {call.input['city']}"} for call in calls
    ]
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = continued(client, streamed, messages, tools=[WEATHER])
    assert second.stop_reason == "end_turn"
    assert '"sun in Paris"' in second.content[0].text
    assert '"sun in Rome"' in second.content[0].text


@STREAMED
def test_thinking(client: anthropic.Anthropic, streamed: bool) -> None:
    message = created(client, streamed, "Why?", thinking={"type": "adaptive"})
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert "Why?" in message.content[0].thinking
    assert message.content[0].signature


def test_structured_output(client: anthropic.Anthropic) -> None:
    class City(BaseModel):
        name: str
        inhabitants: int

    message = client.messages.parse(
        model="sandbox",
        max_tokens=500,
        messages=[{"role": "user", "content": "2000000 people live in Paris"}],
        output_format=City,
    )
    assert message.parsed_output == City(name="Paris", inhabitants=2_000_000)


@STREAMED
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.APIStatusError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (504, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_chosen_error(
    client: anthropic.Anthropic, streamed: bool, status: int, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error) as refused:
        created(client, streamed, f"sandbox:error {status}")
    assert refused.value.status_code == status
    assert refused.value.request_id
    assert refused.value.request_id == refused.value.body["request_id"]  # type: ignore[index]


def test_retry_after_is_obeyed(client: anthropic.Anthropic) -> None:
    started = time.monotonic()
    with pytest.raises(anthropic.RateLimitError):
        created(client.with_options(max_retries=1), False, "sandbox:error 429")
    assert 1 <= time.monotonic() - started < 3


def test_error_in_mid_stream(client: anthropic.Anthropic) -> None:
    texts: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(
            model="m", max_tokens=500, messages=[{"role": "user", "content": "sandbox:error midstream"}]
        ) as stream,
    ):
        texts.extend(stream.text_stream)
    assert len(texts) == 5


def test_cut_stream(client: anthropic.Anthropic) -> None:
    events = list(
        client.messages.create(
            model="m", max_tokens=500, messages=[{"role": "user", "content": "sandbox:cut"}], stream=True
        )
    )
    assert events[-1].type == "content_block_delta"


def test_cut_plain_answer(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.APIConnectionError):
        created(client, False, "sandbox:cut")


def test_count_tokens(client: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": "How many tokens is this?"}]
    counted = client.messages.count_tokens(model="sandbox", messages=messages)
    assert counted.input_tokens == continued(client, False, messages).usage.input_tokens


def test_models(client: anthropic.Anthropic) -> None:
    ids = [model.id for model in client.models.list(limit=1)]
    assert "sandbox" in ids
    assert len(ids) == len(set(ids)) > 1
    assert client.models.retrieve(ids[0]).display_name
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-does-not-exist")


def test_events_arrive_one_by_one(sandbox_url: str) -> None:
    body = {"model": "m", "max_tokens": 9, "stream": True}
    body["messages"] = [{"role": "user", "content": "sandbox:long 4 sandbox:slow 0.1"}]
    arrivals = []
    with requests.post(f"{sandbox_url}/v1/messages", json=body, stream=True, timeout=10) as response:
        while piece := response.raw.read1(65_536, decode_content=True):
            arrivals += [(time.monotonic(), event) for event in parsed(piece)]
    times = [at for at, event in arrivals if event["type"] == "content_block_delta"]
    assert len(times) == 4
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.05


def test_many_slow_streams_at_once(sandbox_url: str) -> None:
    body = {"model": "m", "max_tokens": 9, "stream": True}
    body["messages"] = [{"role": "user", "content": "sandbox:long 5 sandbox:slow 0.2"}]

    def read() -> int:
        response = requests.post(f"{sandbox_url}/v1/messages", json=body, stream=True, timeout=10)
        return response.content.count(b"content_block_delta\n")

    started = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        counts = list(pool.map(lambda _: read(), range(50)))
    assert counts == [5] * 50
    assert time.monotonic() - started < 5  # one after the other they would take 40 seconds


def test_long_stream_does_not_hold_up_others(sandbox_url: str) -> None:
    body = {"model": "m", "max_tokens": 9, "stream": True}
    body["messages"] = [{"role": "user", "content": "sandbox:long 100000"}]
    with requests.post(f"{sandbox_url}/v1/messages", json=body, stream=True, timeout=10) as response:
        response.raw.read1(65_536, decode_content=True)
        started = time.monotonic()
        assert requests.get(f"{sandbox_url}/v1/models", timeout=10).status_code == 200
        assert time.monotonic() - started < 1


def test_server_ends_with_its_context() -> None:
    with SandboxServer() as server:
        host, port = server.url.removeprefix("http://").split(":")
        assert requests.get(f"{server.url}/v1/models", timeout=5).status_code == 200
    assert isinstance(server.process, subprocess.Popen)
    assert server.process.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1).close()
