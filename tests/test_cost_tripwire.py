"""Tripwires against tenfold regressions: calls are counted, not time, so a busy machine changes nothing.

Each limit is several times what was counted when it was set (named beside it); `python -m bench` measures the rest.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
import pytest
from flask import Flask

from app import create_app
from app.profiles.profile import profile_for
from app.settings import Settings
from app.sse import EventReader, encode
from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.chat_stream import ChatStream
from app.translate.request import Options, messages_request

MODEL = "claude-sonnet-4-5"
SANDBOX = str(Path(__file__).resolve().parents[1] / "app" / "sandbox")


def calls_of(work: Callable[[], object]) -> int:
    """Calls of functions, in Python or C, that `work` makes once it is warm; the sandbox's own are not counted."""
    work()
    counted = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal counted
        if event in ("call", "c_call") and not frame.f_code.co_filename.startswith(SANDBOX):
            counted += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


def conversation(turns: int) -> dict[str, Any]:
    """A chat request of `turns` turns, every fourth of them a tool call with its result behind it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    for number in range(turns // 4):
        function = {"name": "look_up", "arguments": f'{{"word": "w{number}"}}'}
        messages += [
            {"role": "user", "content": f"Question {number}"},
            {"role": "assistant", "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"Meaning {number}"},
            {"role": "assistant", "content": f"Answer {number}"},
        ]
    parameters = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": parameters}}]
    return {"model": MODEL, "messages": [*messages, {"role": "user", "content": "And now?"}], "tools": tools}


def translated(chat_request: dict[str, Any]) -> Callable[[], object]:
    profile, options = profile_for("api.anthropic.com", MODEL), Options()
    return lambda: messages_request(chat_request, MODEL, MODEL, profile, options)


def stream_events(kind: str, deltas: int) -> bytes:
    """A Messages stream as bytes: one block of `kind` that grows by `deltas` deltas."""
    block, grown = {
        "text": ({"type": "text", "text": ""}, {"type": "text_delta", "text": "word "}),
        "thinking": (
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "word "},
        ),
        "tool_use": (
            {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}},
            {"type": "input_json_delta", "partial_json": "word "},
        ),
    }[kind]
    events = [
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *[{"type": "content_block_delta", "index": 0, "delta": grown}] * deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": deltas}},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), orjson.dumps(e)) for e in events)


def chunks_of(source: bytes) -> list[bytes]:
    stream = ChatStream(ChatAnswer(AnswerForm(MODEL), "chatcmpl-1", 1))
    chunks = [chunk for event in EventReader().feed(source) for chunk in stream.feed(event)]
    return [encode(chunk) for chunk in [*chunks, *stream.end()]]


@pytest.fixture
def app() -> Flask:
    return create_app(Settings(upstream_base="sandbox:", thinking_store="off"))


def posted(app: Flask, path: str, body: dict[str, Any]) -> Callable[[], bytes]:
    """One request through the whole WSGI application, without a socket; its answer's body."""
    content = orjson.dumps(body)
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "HTTP_HOST": "localhost",
        "HTTP_X_API_KEY": "key",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }

    def answer() -> bytes:
        statuses: list[str] = []
        result: Any = app(environ | {"wsgi.input": io.BytesIO(content)}, lambda status, *_: statuses.append(status))
        try:
            body = b"".join(result)
        finally:
            result.close()
        assert statuses == ["200 OK"], body
        return body

    return answer


def user_says(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **fields}


def test_a_request_is_translated_in_few_calls() -> None:
    assert calls_of(translated(conversation(4))) < 3_000  # 451


def test_the_calls_of_a_translation_grow_as_the_conversation_does() -> None:
    # Ten times the turns, 9.5 times the calls.
    assert calls_of(translated(conversation(800))) < 20 * calls_of(translated(conversation(80)))


@pytest.mark.parametrize("kind", ["text", "thinking", "tool_use"])
def test_a_streamed_delta_is_read_translated_and_written_in_few_calls(kind: str) -> None:
    few, many = (calls_of(lambda deltas=deltas: chunks_of(stream_events(kind, deltas))) for deltas in (100, 1100))
    assert (many - few) / 1000 < 200  # 34, three of them by stream_events


def test_a_buffered_chat_completion_takes_few_calls(app: Flask) -> None:
    assert calls_of(posted(app, "/v1/chat/completions", user_says("Hello"))) < 10_000  # 1,819


def test_a_buffered_message_takes_few_calls(app: Flask) -> None:
    assert calls_of(posted(app, "/v1/messages", user_says("Hello"))) < 8_000  # 1,391


@pytest.mark.parametrize(("path", "limit"), [("/v1/chat/completions", 600), ("/v1/messages", 400)])
def test_a_delta_passes_the_whole_application_in_few_calls(app: Flask, path: str, limit: int) -> None:
    few, many = (
        calls_of(posted(app, path, user_says(f"sandbox:long {deltas}", stream=True))) for deltas in (100, 1100)
    )
    assert (many - few) / 1000 < limit  # 97 and 62: the sandbox sends each event by itself, so each is a read
