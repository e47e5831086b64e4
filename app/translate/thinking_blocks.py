"""Thinking blocks that OpenAI clients send back, in all their forms -> the exact blocks the upstream signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.profiles import Profile
from app.translate.checks import a_string, an_array, an_object, optional_string

Block = dict[str, Any]
Remembered = Mapping[str, Sequence[Block]]
"""Thinking blocks that preceded a tool call, by the call's id."""


def replayed_thinking(
    message: Block, path: str, call_ids: Sequence[str], remembered: Remembered, profile: Profile
) -> list[Block]:
    """The thinking blocks to put in front of an assistant message; the first form that yields any wins.

    A signed block is never changed. Unsigned ones go to upstreams that take them; elsewhere they are left out.
    """
    if not profile.thinking_replay or not profile.thinking:
        return []
    for blocks in _forms(message, path, call_ids, remembered):
        acceptable = [block for block in _joined(blocks) if _acceptable(block, profile)]
        if acceptable:
            return acceptable
    return []


def _forms(message: Block, path: str, call_ids: Sequence[str], remembered: Remembered) -> Iterator[list[Block]]:
    """What each form holds, best first, each read only if none before it served."""
    own_fields = message.get("provider_specific_fields")
    nested = own_fields.get("thinking_blocks") if isinstance(own_fields, dict) else None
    yield _from_blocks(message.get("thinking_blocks"), f"{path}.thinking_blocks")
    yield _from_details(message.get("reasoning_details"), f"{path}.reasoning_details")
    yield _from_blocks(nested, f"{path}.provider_specific_fields.thinking_blocks")
    yield _from_content(message.get("content"), f"{path}.content")
    yield next((list(remembered[id]) for id in call_ids if id in remembered), [])
    yield _from_text(message, path)


def _from_blocks(blocks: Any, path: str) -> list[Block]:
    if blocks is None:
        return []
    found = []
    for index, block in enumerate(an_array(blocks, path)):
        block = an_object(block, f"{path}[{index}]")
        if block.get("type") == "redacted_thinking" and isinstance(block.get("data"), str):
            found.append({"type": "redacted_thinking", "data": block["data"]})
        elif block.get("type") == "thinking":
            found.append(_thinking(block.get("thinking"), block.get("signature")))
    return found


def _from_details(details: Any, path: str) -> list[Block]:
    """OpenRouter's form, which Cline and Roo send back; `format` tells which family of models wrote it."""
    if details is None:
        return []
    found = []
    for index, detail in enumerate(an_array(details, path)):
        detail = an_object(detail, f"{path}[{index}]")
        written_by = optional_string(detail, "format", f"{path}[{index}]") or "anthropic"
        if not written_by.startswith(("anthropic", "unknown")):
            continue
        if detail.get("type") == "reasoning.encrypted" and isinstance(detail.get("data"), str):
            found.append({"type": "redacted_thinking", "data": detail["data"]})
        elif detail.get("type") == "reasoning.text":
            found.append(_thinking(detail.get("text"), detail.get("signature")))
    return found


def _from_content(content: Any, path: str) -> list[Block]:
    if not isinstance(content, list):
        return []
    parts = [part for part in content if isinstance(part, dict)]
    return _from_blocks([part for part in parts if part.get("type") in ("thinking", "redacted_thinking")], path)


def _from_text(message: Block, path: str) -> list[Block]:
    for field in ("reasoning_content", "reasoning"):
        if message.get(field) is not None:
            return [_thinking(a_string(message[field], f"{path}.{field}"), None)]
    return []


def _thinking(text: Any, signature: Any) -> Block:
    return {
        "type": "thinking",
        "thinking": text if isinstance(text, str) else "",
        "signature": signature if isinstance(signature, str) else "",
    }


def _joined(blocks: list[Block]) -> list[Block]:
    """Streamed pieces put together: unsigned texts belong to the next block that carries a signature."""
    joined: list[Block] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if last and last["type"] == block["type"] == "thinking" and not last["signature"]:
            joined[-1] = _thinking(last["thinking"] + block["thinking"], block["signature"])
        else:
            joined.append(block)
    return joined


def _acceptable(block: Block, profile: Profile) -> bool:
    if block["type"] == "redacted_thinking":
        return bool(block["data"])
    if profile.unsigned_thinking:
        return bool(block["signature"] or block["thinking"].strip())
    return bool(block["signature"]) and not _FOREIGN.fullmatch(block["signature"])


_FOREIGN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([0-9a-f]{2}){16,}")
"""What DeepSeek (a UUID) and vLLM (hexadecimal digits) put in the place of a signature; Anthropic's are long base64."""
