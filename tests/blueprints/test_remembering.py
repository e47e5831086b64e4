"""Thinking blocks are known before the client can ask for them, whenever it leaves; and what a leaving client costs."""

import json
from typing import Any

import pytest
import responses
from flask import Flask

from app.current import EXTENSION
from app.thinking.store import owner_of
from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, Proxy, events, sent

PATH = "/v1/chat/completions"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
THINKING = {"type": "thinking", "thinking": "hm", "signature": "sig"}
CALL = {"type": "tool_use", "id": "toolu_01KxQ4mPz9Ab7", "name": "f", "input": {}}
REQUEST: dict[str, Any] = CHAT_REQUEST | {"tools": TOOLS}
STREAM = events(
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": CALL},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)


def remembered(app: Flask) -> Any:
    services = app.extensions[EXTENSION]
    return services.thinking.recall(owner_of(services.upstream.host, {"client": "127.0.0.1"}), ["toolu_01KxQ4mPz9Ab7"])


def test_a_buffered_answer(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, json=MESSAGE | {"content": [THINKING, CALL], "stop_reason": "tool_use"})
    client = proxy()
    client.post(PATH, json=REQUEST)
    assert remembered(client.application) == {"toolu_01KxQ4mPz9Ab7": [THINKING]}


def test_a_stream_before_its_end_is_sent(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    """The client's next request may reach another worker as soon as it has read the end."""
    upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream")
    client = proxy()
    with client.post(PATH, json=REQUEST | {"stream": True}, buffered=False) as answer:
        known_at_end = [remembered(client.application) for frame in answer.response if b"[DONE]" in frame]
    assert known_at_end == [{"toolu_01KxQ4mPz9Ab7": [THINKING]}]


def test_a_client_that_leaves_at_the_first_call(
    proxy: Proxy, upstream: responses.RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.post(MESSAGES, body=STREAM, content_type="text/event-stream")
    client = proxy(LOG_FORMAT="json")
    with client.post(PATH, json=REQUEST | {"stream": True}, buffered=False) as answer:
        next(frame for frame in answer.response if b'"tool_calls"' in frame)
    assert remembered(client.application) == {"toolu_01KxQ4mPz9Ab7": [THINKING]}
    line = json.loads(capsys.readouterr().out)
    assert (line["error"], line["ended_by"]) == ("ClientGone", "client")


def test_switched_off(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    upstream.post(MESSAGES, json=MESSAGE | {"content": [THINKING, CALL], "stop_reason": "tool_use"})
    client = proxy(THINKING_STORE="off")
    client.post(PATH, json=REQUEST)
    assert remembered(client.application) == {}


def test_clients_that_share_the_servers_key_share_no_thinking(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    client = proxy(SERVER_API_KEY="sk-server", PROXY_API_KEYS="alice,bob")
    upstream.post(MESSAGES, json=MESSAGE | {"content": [THINKING, CALL], "stop_reason": "tool_use"})
    call = {"id": "toolu_01KxQ4mPz9Ab7", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_01KxQ4mPz9Ab7", "content": "ok"},
    ]
    for key in ("alice", "bob", "alice"):
        client.post(PATH, json={"model": "glm-4.6", "messages": history}, headers={"x-api-key": key})
    kinds = [[block["type"] for block in sent(upstream, index)["messages"][1]["content"]] for index in range(3)]
    assert kinds == [["tool_use"], ["tool_use"], ["thinking", "tool_use"]]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_ids_that_count_never_mix_two_conversations(
    proxy: Proxy, upstream: responses.RequestsMock, stream: bool
) -> None:
    """Kimi's `functions.f:0` is the first call of every conversation."""
    client = proxy()

    def asked(messages: list[Any], *content: dict[str, Any]) -> Any:
        """The conversation as the upstream got it, before it answered `content`."""
        message = MESSAGE | {
            "content": [*content] or MESSAGE["content"],
            "stop_reason": "tool_use" if content else "end_turn",
        }
        upstream.reset()
        upstream.post(MESSAGES, json=message)
        request = {"model": "kimi-k2.5", "messages": messages, "tools": TOOLS, "stream": stream}
        assert client.post(PATH, json=request).status_code == 200
        return sent(upstream, -1)["messages"]

    call = {"type": "tool_use", "id": "functions.f:0", "name": "f", "input": {"n": 1}}
    told = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": '{ "n": 1 }'}}
    back = [
        {"role": "assistant", "content": None, "tool_calls": [told]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "ok"},
    ]
    for name in ("Alice", "Bob"):
        thinking = {"type": "thinking", "thinking": f"{name} asks.", "signature": ""}
        asked([{"role": "user", "content": f"I am {name}."}], thinking, call)
    for name in ("Bob", "Alice", "Carol"):
        turn = asked([{"role": "user", "content": f"I am {name}."}, *back])[1]["content"]
        thoughts = [block["thinking"] for block in turn if block["type"] == "thinking"]
        assert thoughts == ([] if name == "Carol" else [f"{name} asks."])


def test_a_legacy_call_without_an_id(proxy: Proxy, upstream: responses.RequestsMock) -> None:
    client = proxy()
    upstream.post(MESSAGES, json=MESSAGE | {"content": [THINKING, CALL], "stop_reason": "tool_use"})
    request = {"model": "glm-4.6", "functions": [TOOLS[0]["function"]], "messages": CHAT_REQUEST["messages"]}
    message = client.post(PATH, json=request).json["choices"][0]["message"]
    assistant = {"role": "assistant", "content": None, "function_call": message["function_call"]}
    result = {"role": "function", "name": "f", "content": "ok"}
    client.post(PATH, json=request | {"messages": [*request["messages"], assistant, result]})
    assert sent(upstream)["messages"][1]["content"][0] == THINKING
