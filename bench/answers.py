"""What the upstream answers: one source for the upstream that sends it and for the checks that expect it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MODEL = "claude-sonnet-4-5"
TOOL = "write_file"
INPUT_TOKENS = 321
BUFFERED_TEXT = "".join(f"sentence {number:02} of the answer. " for number in range(25))
_MARKER = re.compile(rb"\[bench (\w+) (\d+) (\w+) (\d+)\]")

Event = dict[str, Any]


@dataclass(frozen=True)
class Script:
    """What a request asks the upstream to answer; its `marker` stands in the user's text and survives any gateway.

    `content`: `text`, `tools` or `thinking`; `deltas`: how many of a streamed answer; `delivery`: `burst` (as many
    events in a write as fit), `single` (one event a write), `paced` (`rate` deltas a second) or `held` (the start, and
    the rest once POST /release comes).
    """

    content: str = "text"
    deltas: int = 0
    delivery: str = "burst"
    rate: int = 0

    @property
    def marker(self) -> str:
        return f"[bench {self.content} {self.deltas} {self.delivery} {self.rate}]"


def script_of(body: bytes) -> Script:
    """The script whose marker stands last in a request body. Raises ValueError if there is none."""
    found = _MARKER.search(body, max(0, body.rfind(b"[bench ")))
    if found is None:
        raise ValueError("no marker in the request")
    content, deltas, delivery, rate = found.groups()
    return Script(content.decode(), int(deltas), delivery.decode(), int(rate))


@dataclass(frozen=True)
class Deltas:
    """The pieces that a client must receive, in order, none merged and none missing."""

    text: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@lru_cache
def deltas(script: Script) -> Deltas:
    """About half of a thinking answer is thinking; a tool answer is one call whose arguments are a JSON object."""
    words = tuple(f"word{number:05} " for number in range(script.deltas))
    if script.content == "thinking":
        half = script.deltas // 2
        return Deltas(text=words[half:], thinking=words[:half])
    if script.content == "tools":
        return Deltas(arguments=('{"text": "', *words[2:], '"}'))
    return Deltas(text=words)


def message() -> bytes:
    """A buffered answer of about 1 KB."""
    block = {"type": "text", "text": BUFFERED_TEXT}
    return _dumped(_message([block], "end_turn", 250)).encode()


def _message(content: list[Event], stop_reason: str | None, output_tokens: int) -> Event:
    return {
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    }


@lru_cache
def frames(script: Script) -> tuple[bytes, ...]:
    """The events of a streamed answer, each an HTTP chunk of its own as Anthropic sends them."""
    return tuple(_chunk(f"event: {event['type']}\ndata: {_dumped(event)}\n\n".encode()) for event in _events(script))


def _events(script: Script) -> list[Event]:
    expected = deltas(script)
    blocks: list[tuple[Event, list[Event]]] = []
    if expected.thinking:
        grown: list[Event] = [{"type": "thinking_delta", "thinking": piece} for piece in expected.thinking]
        signature = {"type": "signature_delta", "signature": "EqQBCgIYAhIM" * 16}
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, [*grown, signature]))
    if expected.text:
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in expected.text])
        )
    if expected.arguments:
        call = {"type": "tool_use", "id": "toolu_01BenchBenchBenchBenchBe", "name": TOOL, "input": {}}
        blocks.append((call, [{"type": "input_json_delta", "partial_json": piece} for piece in expected.arguments]))
    events: list[Event] = [{"type": "message_start", "message": _message([], None, 1)}, {"type": "ping"}]
    for index, (block, growth) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in growth]
        events.append({"type": "content_block_stop", "index": index})
    reason = {"stop_reason": stop_reason(script), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": reason, "usage": {"output_tokens": script.deltas}})
    return [*events, {"type": "message_stop"}]


def stop_reason(script: Script) -> str:
    return "tool_use" if script.content == "tools" else "end_turn"


def _dumped(value: Event) -> str:
    return json.dumps(value, separators=(",", ":"))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
