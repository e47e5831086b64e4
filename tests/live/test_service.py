"""What both SDKs share: the sandbox without a key, several workers as one, the development server, the logs."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest

from tests.fake_upstream import FakeUpstream
from tests.faults.gunicorn_server import ROOT
from tests.live.conftest import KEY, Service
from tests.live.test_openai_sdk import CALLS, MODEL, TOOLS


def asked(service: Service, messages: list[Any], request_id: str, **request: Any) -> Any:
    """A chat completion over a connection of its own."""
    body = {"model": MODEL, "messages": messages, "tools": TOOLS, "reasoning_effort": "low"} | request
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json", "x-request-id": request_id}
    sent = urllib.request.Request(f"{service.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.load(answer)["choices"][0]["message"]


def test_thinking_that_the_client_drops_is_restored_by_another_worker(service: Service, upstream: FakeUpstream) -> None:
    """Most clients keep nothing but `content` and `tool_calls`; the upstream wants its signed blocks back."""
    messages: list[Any] = [{"role": "user", "content": f"[[think]] {CALLS} {uuid.uuid4()}"}]
    first = asked(service, messages, "thinking-first")
    assert first["thinking_blocks"]
    messages.append({"role": "assistant", "content": first["content"], "tool_calls": first["tool_calls"]})
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in first["tool_calls"]]

    def second(number: int) -> None:
        # The pause lets the other worker take some of the connections.
        asked(service, [*messages, {"role": "user", "content": "[[wait:0.2]] on"}], f"thinking-second-{number}")

    served: set[int] = set()
    for round in range(5):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(second, range(round * 16, round * 16 + 16)))
        served = {line["pid"] for line in service.request_lines() if line["id"].startswith("thinking-second")}
        if len(served) == 2:
            break
    assert len(served) == 2, "one worker took every connection"
    histories = [
        request.body["messages"][1]["content"]
        for request in upstream.requests
        if request.headers.get("x-request-id", "").startswith("thinking-second")
    ]
    assert len(histories) >= 16
    for content in histories:
        assert content[0] == first["thinking_blocks"][0]


def test_another_key_restores_nothing(service: Service, upstream: FakeUpstream) -> None:
    messages: list[Any] = [{"role": "user", "content": f"[[think]] {CALLS} {uuid.uuid4()}"}]
    first = asked(service, messages, "owner")
    messages.append({"role": "assistant", "content": first["content"], "tool_calls": first["tool_calls"]})
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in first["tool_calls"]]
    with service.openai(key="sk-ant-somebody-else") as other:
        other.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, reasoning_effort="low")
    request = upstream.requests[-1]
    assert "thinking" not in {block["type"] for block in request.body["messages"][1]["content"]}
    assert request.refusal is None


def test_the_request_log(service: Service) -> None:
    request_id = f"log-{uuid.uuid4()}"
    asked(service, [{"role": "user", "content": "words that nobody else may read"}], request_id)
    time.sleep(0.1)
    (line,) = [line for line in service.request_lines() if line["id"] == request_id]
    assert (line["route"], line["status"], line["upstream_status"]) == ("/v1/chat/completions", 200, 200)
    assert line["upstream_model"] == MODEL
    assert line["input_tokens"] > 0
    for secret in (KEY, "words that nobody", "authorization"):
        assert secret not in service.log()


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_sandbox_serves_both_sdks_without_a_key(sandbox: Service, prefix: str, stream: bool) -> None:
    tools: list[Any] = TOOLS
    with sandbox.openai(prefix, key="none") as chat:
        request: dict[str, Any] = {"model": "gpt-4o", "tools": tools}
        messages: list[Any] = [{"role": "user", "content": "Use the weather tool for Paris."}]
        if stream:
            with chat.chat.completions.stream(messages=messages, **request) as events:
                first = events.get_final_completion().choices[0].message
        else:
            first = chat.chat.completions.create(messages=messages, **request).choices[0].message
        assert first.tool_calls
        messages.append(first.model_dump(exclude_none=True))
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in first.tool_calls]
        second = chat.chat.completions.create(messages=messages, **request).choices[0]
        assert second.message.content
    with sandbox.anthropic(prefix, key="none") as claude:
        said: Any = [{"role": "user", "content": "Hello"}]
        if stream:
            with claude.messages.stream(model="x", max_tokens=99, messages=said) as events:
                text = "".join(events.text_stream)
        else:
            text = claude.messages.create(model="x", max_tokens=99, messages=said).content[0].text
        assert "Hello" in text
        assert claude.messages.count_tokens(model="x", messages=said).input_tokens > 0


def test_many_at_once(sandbox: Service) -> None:
    """Each client gets its own answer."""

    def ask(number: int) -> bool:
        with sandbox.openai(key="none") as chat:
            words = f"number {number}."
            stream = chat.chat.completions.create(model="x", messages=[{"role": "user", "content": words}], stream=True)
            return words in "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(64)))


def test_the_development_server() -> None:
    """`flask run`, as the README has it."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    without_dotenv = {"PYTHON_DOTENV_DISABLED": "1", "FLASK_SKIP_DOTENV": "1"}
    own = {"UPSTREAM_BASE": "sandbox:", "PYTHONUNBUFFERED": "1"} | without_dotenv
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "run", "--port", "0"]
    with tempfile.TemporaryFile("w+b") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=kept | own, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            base = _address(process, log)
            with urllib.request.urlopen(f"{base}/health", timeout=10) as answer:
                assert json.load(answer) == {"status": "ok"}
            body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
            sent = urllib.request.Request(
                f"{base}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
            )
            with urllib.request.urlopen(sent, timeout=10) as answer:
                assert answer.read().endswith(b"data: [DONE]\n\n")
            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(f"{base}/nope", timeout=10)
            assert json.load(raised.value)["error"]["code"] == "not_found"
            raised.value.close()
        finally:
            # Not SIGINT: a shell without job control starts background jobs with it ignored.
            process.terminate()
            process.wait(20)
        log.seek(0)
        assert b"Traceback" not in log.read()


def _address(process: subprocess.Popen[bytes], log: Any) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        size = os.fstat(log.fileno()).st_size
        found = re.search(rb"Running on (http://127\.0\.0\.1:\d+)", os.pread(log.fileno(), size, 0))
        if found:
            return found[1].decode()
        time.sleep(0.05)
    raise AssertionError("the development server did not start")
