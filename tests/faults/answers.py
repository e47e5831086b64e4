"""The bytes of an upstream's answers: messages, events, chunks and heads."""

import json
from typing import Any

from .raw_upstream import Peer

TEXT = "Hello from upstream"
MEGABYTE = 1 << 20


def message(text: str = TEXT) -> bytes:
    return json.dumps(
        {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 2},
        }
    ).encode()


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def delta(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


PING = event("ping")
BEGINNING = event(
    "message_start",
    message=json.loads(message(""))
    | {"content": [], "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}},
) + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
END = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2})
    + event("message_stop")
)
STREAM = BEGINNING + delta(TEXT) + END


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def head(*fields: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *fields, "\r\n"]).encode()


def kind_of(peer: Peer) -> str:
    return f"content-type: {'text/event-stream' if peer.streams else 'application/json'}"


def sized(peer: Peer, body: bytes, *fields: str, length: int | None = None, status: str = "200 OK") -> bytes:
    size = len(body) if length is None else length
    return head(kind_of(peer), f"content-length: {size}", *fields, status=status) + body


def chunked_head(peer: Peer, *fields: str) -> bytes:
    return head(kind_of(peer), "transfer-encoding: chunked", *fields)


def answer(peer: Peer) -> bytes:
    return STREAM if peer.streams else message()
