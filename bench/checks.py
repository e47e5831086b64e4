"""Answers read and compared with what the upstream sent: status, number and order of deltas, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from bench.answers import BUFFERED_TEXT, Deltas, Script, deltas, stop_reason

LAST_CHUNK = b"0\r\n\r\n"
_HEAD_BYTES = 4096
_FINISH = {"end_turn": "stop", "tool_use": "tool_calls"}


class WrongAnswer(Exception):
    """An answer that is not what the upstream sent."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: status, and the body without its chunks."""

    status: int
    body: bytes

    @classmethod
    def read(cls, pieces: list[bytes]) -> Reply:
        head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
        chunked = b"transfer-encoding: chunked" in head.lower()
        return cls(int(head[9:12]), dechunked(body) if chunked else body)


def is_complete(pieces: list[bytes], last: bytes) -> bool:
    """Whether an answer is whole; `last` is the newest of its `pieces`, looked at first because it is cheap."""
    if len(pieces) > 1 and not last.endswith(LAST_CHUNK[-len(last) :]):
        head = pieces[0][:_HEAD_BYTES].lower()
        if b"\r\n\r\n" in head and b"\r\ncontent-length:" not in head:
            return False
    return complete_at(b"".join(pieces)) is not None


def complete_at(received: bytes) -> int | None:
    """How many bytes the first answer in `received` has; None if it is not whole yet."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = received[:head_end].lower() + b"\r\n"
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        end = head_end + 4 + int(head[at + 17 : head.index(b"\r\n", at + 2)])
        return end if len(received) >= end else None
    if not received.endswith(LAST_CHUNK):
        return None
    return _last_chunk_end(received, head_end + 4)


def _last_chunk_end(received: bytes, at: int) -> int | None:
    while (line_end := received.find(b"\r\n", at)) >= 0:
        size = int(received[at:line_end], 16)
        at = line_end + 2 + size + 2
        if not size:
            return at
    return None


def dechunked(body: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    while True:
        line_end = body.index(b"\r\n", at)
        size = int(body[at:line_end], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongAnswer(f"{what}: {_short(found)} instead of {_short(expected)}")


def _expect_deltas(found: Deltas, expected: Deltas) -> None:
    expect("text", found.text, expected.text)
    expect("thinking", found.thinking, expected.thinking)
    expect("arguments", found.arguments, expected.arguments)


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} deltas ({repr(value[:3])[1:-1]} …)"
    return repr(value)[:160]


def _ok(reply: Reply) -> None:
    if reply.status != 200:
        raise WrongAnswer(f"status {reply.status}: {reply.body[:200]!r}")


def chat_completion(reply: Reply) -> None:
    """A buffered answer to a chat request."""
    _ok(reply)
    choice = orjson.loads(reply.body)["choices"][0]
    expect("content", choice["message"]["content"], BUFFERED_TEXT)
    expect("finish_reason", choice["finish_reason"], "stop")


def message(reply: Reply) -> None:
    """A buffered answer to a Messages request."""
    _ok(reply)
    answer = orjson.loads(reply.body)
    expect("text", "".join(block["text"] for block in answer["content"]), BUFFERED_TEXT)
    expect("stop_reason", answer["stop_reason"], "end_turn")


def chat_stream(script: Script) -> Callable[[Reply], None]:
    """The check of a streamed chat completion: each delta a chunk of its own, one finish_reason, then [DONE]."""

    def check(reply: Reply) -> None:
        _ok(reply)
        lines = [line for line in reply.body.split(b"\n") if line.startswith(b"data:")]
        expect("the last event", lines[-1][5:].strip() if lines else None, b"[DONE]")
        chunks = [orjson.loads(line[5:]) for line in lines[:-1]]
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        _expect_deltas(_chat_deltas([choice["delta"] for choice in choices]), deltas(script))
        reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
        expect("finish_reason", reasons, [_FINISH[stop_reason(script)]])

    return check


def _chat_deltas(found: list[dict[str, Any]]) -> Deltas:
    calls = [call["function"].get("arguments") for delta in found for call in delta.get("tool_calls") or ()]
    return Deltas(
        tuple(delta["content"] for delta in found if delta.get("content")),
        tuple(delta["reasoning_content"] for delta in found if delta.get("reasoning_content")),
        tuple(piece for piece in calls if piece),
    )


def message_stream(script: Script) -> Callable[[Reply], None]:
    """The check of a streamed message: the upstream's deltas, one stop_reason, and message_stop last."""

    def check(reply: Reply) -> None:
        _ok(reply)
        lines = [line for line in reply.body.split(b"\n") if line.startswith(b"data:")]
        events = [orjson.loads(line[5:]) for line in lines if line[5:].strip() != b"[DONE]"]
        expect("the last event", events[-1]["type"] if events else None, "message_stop")
        found = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        _expect_deltas(_message_deltas(found), deltas(script))
        reasons = [event["delta"]["stop_reason"] for event in events if event["type"] == "message_delta"]
        expect("stop_reason", reasons, [stop_reason(script)])

    return check


def _message_deltas(found: list[dict[str, Any]]) -> Deltas:
    return Deltas(
        tuple(delta["text"] for delta in found if delta["type"] == "text_delta"),
        tuple(delta["thinking"] for delta in found if delta["type"] == "thinking_delta"),
        tuple(delta["partial_json"] for delta in found if delta["type"] == "input_json_delta"),
    )
