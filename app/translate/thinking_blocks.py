"""Thinking blocks that OpenAI clients send back, in all their forms -> the exact blocks the upstream signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.profiles import Profile
from app.translate.report import Report

Block = dict[str, Any]
Remembered = Mapping[str, Sequence[Block]]
"""Thinking blocks that preceded a tool call, by the call's id."""


def replayed_thinking(message: Block, call_ids: Sequence[str], remembered: Remembered, profile: Profile) -> list[Block]:
    """The thinking blocks to put in front of an assistant message; the first form that yields any wins.

    A signed block is never changed. Unsigned ones go to upstreams that take them; elsewhere they are left out. A form
    of another type than its clients use says nothing: `ignore_malformed` tells.
    """
    if not profile.thinking_replay or not profile.thinking:
        return []
    for blocks in _forms(message, call_ids, remembered):
        acceptable = [block for block in _joined(blocks) if _acceptable(block, profile)]
        if acceptable:
            return acceptable
    return []


def _forms(message: Block, call_ids: Sequence[str], remembered: Remembered) -> Iterator[list[Block]]:
    """What each form holds, best first, each read only if none before it served."""
    own_fields = message.get("provider_specific_fields")
    yield _from_blocks(message.get("thinking_blocks"))
    yield _from_details(message.get("reasoning_details"))
    yield _from_blocks(own_fields.get("thinking_blocks") if isinstance(own_fields, dict) else None)
    yield _from_blocks(message.get("content"))
    yield next((list(remembered[id]) for id in call_ids if id in remembered), [])
    yield _from_text(message)


def signs_its_thinking(message: Block) -> bool:
    """Whether a message, unvalidated, brings thinking that a signing upstream may take back.

    Some clients keep `thinking_blocks` but strip what cannot be shown: the signatures.
    """
    return any(block.get("signature") or block.get("data") for block in _objects(message.get("thinking_blocks")))


_TYPES = {"thinking_blocks": list, "reasoning_details": list, "reasoning_content": str, "reasoning": str}


def ignore_malformed(message: Block, report: Report) -> None:
    """Reports the forms that are of another type than their clients use: one client's `reasoning` is another's own."""
    for name, expected in _TYPES.items():
        value = message.get(name)
        if value and (not isinstance(value, expected) or (expected is list and len(_objects(value)) < len(value))):
            report.ignore(f"messages[].{name}")


def ignore_unsent(message: Block, report: Report) -> None:
    """Reports every form in which a message brings thinking, none of which could be sent."""
    for name in _TYPES:
        if message.get(name):
            report.ignore(f"messages[].{name}")
    own_fields = message.get("provider_specific_fields")
    if isinstance(own_fields, dict) and own_fields.get("thinking_blocks"):
        report.ignore("messages[].provider_specific_fields.thinking_blocks")
    if _from_blocks(message.get("content")):
        report.ignore("messages[].content[].thinking")


def _objects(value: Any) -> list[Block]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _from_blocks(blocks: Any) -> list[Block]:
    found = []
    for block in _objects(blocks):
        if block.get("type") == "redacted_thinking" and isinstance(block.get("data"), str):
            found.append({"type": "redacted_thinking", "data": block["data"]})
        elif block.get("type") == "thinking":
            found.append(_thinking(block.get("thinking"), block.get("signature")))
    return found


def _from_details(details: Any) -> list[Block]:
    """OpenRouter's form, which Cline and Roo send back; `format` tells which family of models wrote it."""
    found = []
    for detail in _objects(details):
        written_by = detail.get("format") or "anthropic"
        if not (isinstance(written_by, str) and written_by.startswith(("anthropic", "unknown"))):
            continue
        if detail.get("type") == "reasoning.encrypted" and isinstance(detail.get("data"), str):
            found.append({"type": "redacted_thinking", "data": detail["data"]})
        elif detail.get("type") == "reasoning.text":
            found.append(_thinking(detail.get("text"), detail.get("signature")))
    return found


def _from_text(message: Block) -> list[Block]:
    texts = (message.get(name) for name in ("reasoning_content", "reasoning"))
    return next(([_thinking(text, None)] for text in texts if isinstance(text, str)), [])


def _thinking(text: Any, signature: Any) -> Block:
    return {
        "type": "thinking",
        "thinking": text if isinstance(text, str) else "",
        "signature": signature if isinstance(signature, str) else "",
    }


def _joined(blocks: list[Block]) -> list[Block]:
    """Streamed pieces put together: unsigned texts belong to the next block that carries a signature."""
    joined: list[Block] = []
    pieces: list[Block] = []
    for block in blocks:
        if block["type"] == "thinking":
            pieces.append(block)
            if not block.get("signature"):
                continue
            joined += _whole(pieces)
        else:
            joined += [*_whole(pieces), block]
        pieces = []
    return joined + _whole(pieces)


def _whole(pieces: list[Block]) -> list[Block]:
    if len(pieces) < 2:
        return pieces
    return [_thinking("".join(piece["thinking"] for piece in pieces), pieces[-1].get("signature"))]


def _acceptable(block: Block, profile: Profile) -> bool:
    if block["type"] == "redacted_thinking":
        return bool(block["data"])
    if profile.unsigned_thinking:
        return bool(block["signature"] or block["thinking"].strip())
    return bool(block["signature"]) and not _FOREIGN.fullmatch(block["signature"])


_FOREIGN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([0-9a-f]{2}){16,}")
"""What DeepSeek (a UUID) and vLLM (hexadecimal digits) put in the place of a signature; Anthropic's are long base64."""
