"""Thinking in an assistant message, in all the forms in which OpenAI clients send it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.translate.assistant import spoken_texts
from app.translate.report import Report

Block = dict[str, Any]
Remembered = Mapping[int, Sequence[Block]]
"""The thinking blocks of answers with tool calls, by index of the message. One that did not stand in front has a field
`after` {"characters", "of", "calls"}: characters of text before it, those of the whole text, the calls before it."""


@dataclass(frozen=True)
class Thought:
    """A thinking block of an answer, and how many characters of its text and calls stand before it."""

    block: Block
    characters: int = 0
    calls: int = 0


THINKING_FIELDS = frozenset(
    ["thinking_blocks", "reasoning_details", "provider_specific_fields", "reasoning_content", "reasoning"]
)


def may_hold_thinking(message: Block) -> bool:
    """Whether an assistant message has a field in which any form comes; most have none and need no further look."""
    return not THINKING_FIELDS.isdisjoint(message) or isinstance(message.get("content"), list)


def thinking_forms(message: Block, known: Sequence[Block]) -> Iterator[tuple[str, list[Thought]]]:
    """(path, its blocks) of each form, best first, and no form read before it is asked for.

    What is `known` of the message comes under the path "".
    """
    own_fields = message.get("provider_specific_fields")
    places = _places(known, message)
    yield "messages[].thinking_blocks", _placed(_from_blocks(message.get("thinking_blocks")), places)
    yield "messages[].reasoning_details", _placed(_from_details(message.get("reasoning_details")), places)
    if isinstance(own_fields, dict):
        path = "messages[].provider_specific_fields.thinking_blocks"
        yield path, _placed(_from_blocks(own_fields.get("thinking_blocks")), places)
    yield "messages[].content[].thinking", list(_among_parts(message.get("content")))
    yield "messages[].content[].thinking_blocks", _placed(_inside_parts(message.get("content")), places)
    yield "", _placed(_from_blocks(known), places)
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str):
            yield f"messages[].{name}", [Thought(thinking_block(message[name], None))]


def _places(known: Sequence[Block], message: Block) -> dict[Any, tuple[int, int]]:
    """(characters, calls) before each remembered block that does not stand in front, if the text is still the same."""
    places = {}
    for block in known:
        after = block.get("after")
        if after and after["of"] == sum(map(len, spoken_texts(message))):
            places[_identity(block)] = (after["characters"], after["calls"])
    return places


def _identity(block: Block) -> tuple[Any, ...]:
    return (block.get("thinking"), block.get("signature"), block.get("data"))


def _placed(blocks: list[Block], places: Mapping[Any, tuple[int, int]]) -> list[Thought]:
    if not places:
        return [Thought(block) for block in blocks]
    return [Thought(block, *places.get(_identity(block), (0, 0))) for block in blocks]


def _among_parts(content: Any) -> Iterator[Thought]:
    """Anthropic's blocks among the parts of the content, as they are in order."""
    characters = calls = 0
    for part in content if isinstance(content, list) else ():
        characters += sum(map(len, spoken_texts({"content": [part]})))
        calls += isinstance(part, dict) and part.get("type") == "tool_use"
        for block in _from_blocks([part]):
            yield Thought(block, characters, calls)


def _inside_parts(content: Any) -> list[Block]:
    """The blocks in a text part into which @openai/agents writes the whole message once more."""
    return [block for part in _objects(content) for block in _from_blocks(part.get("thinking_blocks"))]


_TYPES = {"thinking_blocks": list, "reasoning_details": list, "reasoning_content": str, "reasoning": str}


def ignore_malformed(message: Block, report: Report) -> None:
    """Reports each form that is not of the JSON type its clients send; some have a `reasoning` of their own."""
    for name, expected in _TYPES.items():
        value = message.get(name)
        if value and (not isinstance(value, expected) or (expected is list and len(_objects(value)) < len(value))):
            report.ignore(f"messages[].{name}")


def _objects(value: Any) -> list[Block]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _from_blocks(blocks: Any) -> list[Block]:
    found = []
    for block in _objects(blocks):
        if block.get("type") == "redacted_thinking" and isinstance(block.get("data"), str):
            found.append({"type": "redacted_thinking", "data": block["data"]})
        elif block.get("type") == "thinking":
            found.append(thinking_block(block.get("thinking"), block.get("signature")))
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
            found.append(thinking_block(detail.get("text"), detail.get("signature")))
    return found


def thinking_block(text: Any, signature: Any) -> Block:
    return {
        "type": "thinking",
        "thinking": text if isinstance(text, str) else "",
        "signature": signature if isinstance(signature, str) else "",
    }


def needs_the_store(message: Block) -> bool:
    """Whether to ask the store for what an assistant message, unvalidated, lacks: signed thinking, or its place behind
    text or between calls.

    Some clients keep `thinking_blocks` but strip what cannot be shown: the signatures.
    """
    blocks = _objects(message.get("thinking_blocks"))
    signed = sum(bool(block.get("signature") or block.get("data")) for block in blocks)
    return signed != 1 or bool(message.get("content"))
