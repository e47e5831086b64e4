"""An answer as the events of a Messages stream, framed as api.anthropic.com frames them."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from app.sandbox.answer import Answer
from app.sandbox.api_error import error_body, recorded_error
from app.sandbox.directives import Ending

Json = dict[str, Any]

DELTA_PREFIX = b"event: content_block_delta\n"
BROKEN_AFTER_DELTAS = 5

_DELTA_FIELDS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
_EMPTY: dict[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_PIECE = re.compile(r"\S{1,16}\s*|\s+")


def events(answer: Answer) -> Iterator[bytes]:
    """The stream of `answer`, an SSE frame at a time. Folded, it is `answer.message`.

    A broken ending comes after a few deltas at most, and never after the message is complete.
    """
    frames = _frames(answer.message)
    if answer.ending is Ending.COMPLETE:
        return frames
    return _broken(frames, answer)


def _frames(message: Json) -> Iterator[bytes]:
    usage = message["usage"]
    started_usage = {key: value for key, value in usage.items() if key != "output_tokens_details"}
    opened: Json = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**started_usage, "output_tokens": 1},
    }
    yield _frame("message_start", {"message": {**message, **opened}})
    for index, block in enumerate(message["content"]):
        empty_block = {**block, **_EMPTY[block["type"]]}
        yield _frame("content_block_start", {"index": index, "content_block": empty_block})
        if index == 0:
            yield _PING
        yield from _deltas(index, block)
        yield _frame("content_block_stop", {"index": index})
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    final_usage = {key: usage[key] for key in usage if key not in ("cache_creation", "service_tier")}
    yield _frame("message_delta", {"delta": ended, "usage": final_usage})
    yield _frame("message_stop", {})


def _frame(event_type: str, fields: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event_type.encode(), orjson.dumps({"type": event_type, **fields}))


def _deltas(index: int, block: Json) -> Iterator[bytes]:
    if block["type"] == "tool_use":
        # The API opens a tool's arguments with an empty piece, the only one of a call without arguments.
        yield _delta_opening(index, "input_json_delta", "partial_json") + b'""}}\n\n'
        arguments = orjson.dumps(block["input"]).decode() if block["input"] else ""
        yield from _pieces(_delta_opening(index, "input_json_delta", "partial_json"), arguments)
        return
    yield from _pieces(_delta_opening(index, *_DELTA_FIELDS[block["type"]]), block[block["type"]])
    if block["type"] == "thinking":
        signed = {"type": "signature_delta", "signature": block["signature"]}
        yield _frame("content_block_delta", {"index": index, "delta": signed})


def _delta_opening(index: int, delta_type: str, field: str) -> bytes:
    """A delta event up to the JSON string of its piece: a long stream pays only for what differs."""
    data = f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{delta_type}","{field}":'
    return DELTA_PREFIX + b"data: " + data.encode()


def _pieces(opening: bytes, text: str) -> Iterator[bytes]:
    encode = orjson.dumps
    for piece in _PIECE.finditer(text):
        yield opening + encode(piece[0]) + b"}}\n\n"


def _broken(frames: Iterator[bytes], answer: Answer) -> Iterator[bytes]:
    deltas = 0
    for frame in frames:
        if deltas == BROKEN_AFTER_DELTAS or frame.startswith(b"event: message_delta"):
            break
        yield frame
        deltas += frame.startswith(DELTA_PREFIX)
    if answer.ending is Ending.ERROR:
        body = error_body(recorded_error(529), answer.request_id)
        yield b"event: error\ndata: %b\n\n" % orjson.dumps(body)
