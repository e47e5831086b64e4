"""How different Anthropic-compatible upstreams write the same answer, as data: one Personality each.

Sources: recorded Anthropic streams, the servers of llama.cpp, vLLM and Ollama, the published compatibility
pages of DeepSeek and MiniMax, and users' reports about z.ai (zai-org/GLM-5 #66 and #139) and Kimi.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .signatures import digest

ErrorBody = Callable[[int, str, str, str], dict[str, Any]]
"""(status, Anthropic's error type, message, request id) -> the body."""

ZAI_CODES = {400: "1210", 401: "1000", 402: "1113", 404: "1211", 429: "1302", 500: "1234", 529: "1305"}
MINIMAX_CODES = {400: 2013, 401: 1004, 402: 1008, 429: 1002}
VLLM_TYPES = {400: "BadRequestError", 404: "NotFoundError"}


def anthropic_error(_status: int, kind: str, message: str, request_id: str) -> dict[str, Any]:
    """Anthropic's own shape."""
    return {
        "type": "error",
        "error": {"type": kind, "message": message, "details": None},
        "request_id": request_id,
    }


def zai_error(status: int, _kind: str, message: str, _request_id: str) -> dict[str, Any]:
    """A numeric code, as a string."""
    return {"error": {"code": ZAI_CODES.get(status, "1234"), "message": message}}


def openai_error(status: int, kind: str, message: str, _request_id: str) -> dict[str, Any]:
    """OpenAI's shape with the status as code, as llama.cpp writes it."""
    return {"error": {"code": status, "message": message, "type": kind}}


def deepseek_error(_status: int, kind: str, message: str, _request_id: str) -> dict[str, Any]:
    """OpenAI's shape with the type as code."""
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def minimax_error(status: int, kind: str, message: str, request_id: str) -> dict[str, Any]:
    """Anthropic's shape with MiniMax's code behind the message."""
    coded = message if message.endswith(")") else f"{message} ({MINIMAX_CODES.get(status, 1000)})"
    return {"type": "error", "error": {"type": kind, "message": coded}, "request_id": request_id}


def vllm_error(status: int, kind: str, message: str, _request_id: str) -> dict[str, Any]:
    """Anthropic's shape with Python's class names as types; FastAPI's own for a body of the wrong shape."""
    if status == 422:
        return {"detail": [{"type": "literal_error", "loc": ["body", "messages", 1, "role"], "msg": message}]}
    return {"type": "error", "error": {"type": VLLM_TYPES.get(status, "internal_error"), "message": message}}


def toolu_id(_name: str, seed: str, _number: int) -> str:
    """As Anthropic's."""
    return f"toolu_01{seed[:22]}"


def call_id(_name: str, seed: str, number: int) -> str:
    """As DeepSeek's."""
    return f"call_{number:02d}_{seed[:20]}"


def functions_id(name: str, _seed: str, number: int) -> str:
    """As Kimi's: with a dot and a colon, counted through the conversation."""
    return f"functions.{name}:{number}"


@dataclass(frozen=True)
class Personality:
    """The habits of one upstream's answers."""

    name: str
    tool_id: Callable[[str, str, int], str] = toolu_id
    signature: Literal["seal", "uuid", "hex", "empty", "absent"] = "hex"
    error_body: ErrorBody = anthropic_error
    request_id_header: str = "x-request-id"
    start_usage: Literal["input", "zeros", "estimate"] = "input"
    delta_usage: Literal["full", "output"] = "full"
    pads_json: bool = False
    pings: bool = False
    keep_alive_comment: bool = False
    stops_at_end: bool = False
    """All content_block_stop events come after the last delta, so that blocks overlap."""
    tool_start_has_input: bool = True
    arguments_in_one_piece: bool = False
    leaves_nulls_out: bool = False
    """Keys without a value are absent, in the message and in its events."""
    start_has_type_and_role: bool = True
    has_rate_limit_headers: bool = False
    checks_keys: bool = True
    counts_tokens: bool = True
    image_urls: bool = True
    models: Literal["anthropic", "openai", "none"] = "none"


ANTHROPIC = Personality(
    "anthropic",
    signature="seal",
    request_id_header="request-id",
    pads_json=True,
    pings=True,
    has_rate_limit_headers=True,
    models="anthropic",
)
PERSONALITIES: dict[str, Personality] = {
    each.name: each
    for each in (
        ANTHROPIC,
        Personality("z.ai", tool_id=call_id, error_body=zai_error, start_usage="zeros", pings=True),
        Personality("deepseek", tool_id=call_id, signature="uuid", error_body=deepseek_error, keep_alive_comment=True),
        Personality("kimi", tool_id=functions_id, signature="empty"),
        Personality("minimax", tool_id=call_id, error_body=minimax_error),
        Personality(
            "llama.cpp",
            signature="empty",
            error_body=openai_error,
            delta_usage="output",
            stops_at_end=True,
            tool_start_has_input=False,
            checks_keys=False,
            models="openai",
        ),
        Personality(
            "vllm",
            error_body=vllm_error,
            leaves_nulls_out=True,
            start_has_type_and_role=False,
            checks_keys=False,
            models="openai",
        ),
        Personality(
            "ollama",
            signature="absent",
            start_usage="estimate",
            arguments_in_one_piece=True,
            leaves_nulls_out=True,
            checks_keys=False,
            counts_tokens=False,
            image_urls=False,
            models="openai",
        ),
    )
}


def opaque_signature(personality: Personality, thinking: str) -> str | None:
    """The signature of an upstream that does not verify it; None where the field is left out."""
    by_kind = {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, digest(thinking))),
        "hex": digest(thinking),
        "empty": "",
    }
    return by_kind.get(personality.signature)
