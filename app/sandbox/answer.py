"""The answer of the sandbox to a Messages request: decided by the request alone, the same every time."""

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from app.sandbox.api_error import recorded_error
from app.sandbox.conversation import Turn, called_tools, last_user_turn, media_types, result_text
from app.sandbox.directives import Directives, Ending, directives, without_directives
from app.sandbox.limits import limited
from app.sandbox.request_check import check_messages_request
from app.sandbox.schema_instance import instance, refusing_invalid
from app.sandbox.text_values import TextValues, subjects
from app.sandbox.token_estimate import block_tokens, input_tokens
from app.sandbox.tool_calls import ToolCall, is_forced, tool_calls

Json = dict[str, Any]

_QUOTE_LENGTH = 300


@dataclass(frozen=True)
class Answer:
    """`message` is what a buffered request gets; the rest says how a stream of it is paced and how it ends.

    `pause` is seconds between two deltas. `request_id` is what the `request-id` header says.
    """

    message: Json
    request_id: str
    pause: float = 0.0
    ending: Ending = Ending.COMPLETE


def answer(messages_request: Json) -> Answer:
    """Answer a Messages request, whether it asks for a stream or not.

    Raises ApiError for a request that cannot be answered and for an error that its text chose.
    """
    check_messages_request(messages_request)
    turn = last_user_turn(messages_request["messages"])
    chosen = directives(turn.text)
    if chosen.error_status is not None:
        raise recorded_error(chosen.error_status)
    fingerprint = _fingerprint(messages_request)
    content = [
        *_thinking(messages_request, turn, fingerprint),
        *_content(messages_request, turn, chosen, fingerprint),
    ]
    message = _message(messages_request, content, chosen, fingerprint)
    return Answer(message, _identifier("req_01", fingerprint), chosen.pause, chosen.ending)


def _fingerprint(messages_request: Json) -> bytes:
    # `stream` stays out, so that a stream and a buffered answer are the same message.
    identity = {key: value for key, value in messages_request.items() if key != "stream"}
    return hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).digest()


def _identifier(prefix: str, seed: bytes) -> str:
    encoded = base64.b64encode(hashlib.sha256(prefix.encode() + seed).digest()).decode()
    return prefix + encoded.translate({ord("+"): "x", ord("/"): "z"})[:22]


def _message(messages_request: Json, content: list[Json], chosen: Directives, fingerprint: bytes) -> Json:
    # A chosen length is exact: it is not a model's answer that max_tokens could end.
    max_tokens = messages_request["max_tokens"] if chosen.deltas is None else None
    sent = limited(content, messages_request.get("stop_sequences", []), max_tokens)
    has_calls = any(block["type"] == "tool_use" for block in sent.blocks)
    return {
        "model": messages_request["model"],
        "id": _identifier("msg_01", fingerprint),
        "type": "message",
        "role": "assistant",
        "content": sent.blocks,
        "stop_reason": sent.stop_reason or ("tool_use" if has_calls else "end_turn"),
        "stop_sequence": sent.stop_sequence,
        "usage": _usage(messages_request, sent.blocks),
    }


def _usage(messages_request: Json, content: list[Json]) -> Json:
    usage: Json = {
        "input_tokens": input_tokens(messages_request),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": sum(map(block_tokens, content)),
        "service_tier": "standard",
    }
    thought = sum(block_tokens(block) for block in content if block["type"] == "thinking")
    if thought:
        usage["output_tokens_details"] = {"thinking_tokens": thought}
    return usage


def _thinking(messages_request: Json, turn: Turn, fingerprint: bytes) -> list[Json]:
    config = messages_request.get("thinking") or {}
    if config.get("type") not in ("enabled", "adaptive"):
        return []
    thought = f"The user said {_quoted(turn.text)}. This is the sandbox, so the request alone decides the answer."
    # Claude 4.7 and later sign a thought even where `display` keeps its text back.
    thinking = "" if config.get("display") == "omitted" else thought
    signature = base64.b64encode(hashlib.sha512(fingerprint + thought.encode()).digest()).decode()
    return [{"type": "thinking", "thinking": thinking, "signature": signature}]


def _content(messages_request: Json, turn: Turn, chosen: Directives, fingerprint: bytes) -> list[Json]:
    if chosen.deltas is not None:
        return [_text(" ".join(map(str, range(1, chosen.deltas + 1))))]
    asked = without_directives(turn.text)
    calls = tool_calls(messages_request, turn, asked)
    if calls:
        forced = is_forced(messages_request.get("tool_choice") or {})
        said = [] if forced else [_text(_announcement(messages_request, calls))]
        return [*said, *_tool_uses(calls, fingerprint)]
    schema = _output_schema(messages_request)
    if schema is not None:
        with refusing_invalid("output_config.format.schema"):
            written = instance(schema, TextValues(asked, subjects(asked)))
            return [_text(orjson.dumps(written).decode())]
    spoken = _results_text(messages_request, turn) if turn.tool_results else _plain_text(turn)
    return [_text(_media_text(messages_request) + spoken)]


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _tool_uses(calls: list[ToolCall], fingerprint: bytes) -> list[Json]:
    return [
        {
            "type": "tool_use",
            "id": _identifier("toolu_01", fingerprint + str(index).encode()),
            "name": call.name,
            "input": call.input,
        }
        for index, call in enumerate(calls)
    ]


def _output_schema(messages_request: Json) -> Json | None:
    """The JSON Schema of `output_config.format`, or of its beta predecessor `output_format`."""
    wanted = (messages_request.get("output_config") or {}).get("format") or messages_request.get("output_format")
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return schema if isinstance(schema, dict) else None


def _plain_text(turn: Turn) -> str:
    return (
        f"Hello from the sandbox! You said: {_quoted(turn.text)}. "
        "No model was asked: this answer is made up offline, it is the same every time, "
        "and it is long enough to arrive in several pieces when it is streamed."
    )


def _announcement(messages_request: Json, calls: list[ToolCall]) -> str:
    names = ", ".join(call.name for call in calls)
    return f"{_media_text(messages_request)}The sandbox will call {names}."


def _results_text(messages_request: Json, turn: Turn) -> str:
    names = called_tools(messages_request["messages"])
    told = [
        f"{names.get(str(result.get('tool_use_id')), 'a tool')} "
        f"{'failed with' if result.get('is_error') is True else 'returned'} {_quoted(result_text(result))}"
        for result in turn.tool_results
    ]
    return f"The sandbox has the tool results: {'; '.join(told)}."


def _media_text(messages_request: Json) -> str:
    seen = []
    for block_type in ("image", "document"):
        types = media_types(messages_request["messages"], block_type)
        if types:
            kinds = ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in Counter(types).items())
            seen.append(f"{len(types)} {block_type}{'s' if len(types) > 1 else ''} ({kinds})")
    return f"I see {' and '.join(seen)}. " if seen else ""


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _QUOTE_LENGTH else f'"{text[:_QUOTE_LENGTH]}…"'
