"""Thinking blocks that OpenAI clients send back, in all their forms -> the exact blocks the upstream signed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.profiles.profile import Profile
from app.translate.assistant import spoken_texts
from app.translate.content import is_blank, text_block
from app.translate.report import Report

Block = dict[str, Any]
Remembered = Mapping[int, Sequence[Block]]
"""Thinking blocks that answers with tool calls held, by the index of the message; one that did not stand in front says
in `after` {characters, of, calls} how much of the answer's text stood before it, of how much, and how many calls."""


@dataclass(frozen=True)
class Thought:
    """A thinking block of an answer, and how many characters of its text and calls stand before it."""

    block: Block
    characters: int = 0
    calls: int = 0


def replayed_thinking(message: Block, known: Sequence[Block], profile: Profile, report: Report) -> list[Thought]:
    """The thinking blocks of an assistant message; the first form that yields any wins.

    A signed block is never changed. Unsigned ones go to upstreams that take them; elsewhere they are left out, and
    reported. So is a form of another type than its clients use.
    """
    _ignore_malformed(message, report)
    lost: list[str] = []
    for path, thoughts in _forms(message, known):
        kept, dropped = _sorted(_joined(thoughts), profile)
        if dropped and path:
            lost.append(path)
        if kept:
            lost = [path] if dropped and path else []
            break
    for path in lost:
        report.ignore(path)
    if kept and "adaptive" not in profile.thinking:
        # A model that thinks by budget always begins with it, whatever order its client keeps.
        kept[0] = Thought(kept[0].block)
    return kept


def _sorted(thoughts: list[Thought], profile: Profile) -> tuple[list[Thought], bool]:
    """What this upstream takes of them, and whether the others say anything."""
    kept: list[Thought] = []
    dropped = False
    for thought in thoughts:
        if _acceptable(thought.block, profile):
            kept.append(thought)
        else:
            dropped = dropped or _says_something(thought.block)
    return kept, dropped


def _forms(message: Block, known: Sequence[Block]) -> Iterator[tuple[str, list[Thought]]]:
    """(path, what each form holds), best first, each read only if none before it served; what is remembered has no
    path."""
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
            yield f"messages[].{name}", [Thought(_thinking(message[name], None))]


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


def interleaved(text: list[Block], thoughts: Sequence[Thought], ends: bool) -> list[Block]:
    """The text blocks of an answer with its thinking where it was; a block is cut where thinking stood inside.

    With `ends` nothing follows: `The final block in an assistant message cannot be thinking` (observed message).
    """
    said: list[Block] = []
    waiting = deque(thoughts)
    begun = 0
    for index, block in enumerate(text):
        source, written = block["text"], 0
        last = ends and index == len(text) - 1
        while waiting and (waiting[0].characters < begun + len(source) or last):
            place = max(written, waiting[0].characters - begun)
            place = written if last and is_blank(source[place:]) else place
            said += [*_piece(source[written:place]), waiting.popleft().block]
            written = place
        # What marks the block marks its end.
        said += [block | piece for piece in _piece(source[written:])] if written else [block]
        begun += len(source)
    return [*said, *(thought.block for thought in waiting)]


def _piece(text: str) -> list[Block]:
    return [] if is_blank(text) else [text_block(text)]


def needs_the_store(message: Block) -> bool:
    """Whether an assistant message, unvalidated, brings no signed thinking, or cannot tell where it stood: behind text,
    or between calls.

    Some clients keep `thinking_blocks` but strip what cannot be shown: the signatures.
    """
    blocks = _objects(message.get("thinking_blocks"))
    signed = sum(bool(block.get("signature") or block.get("data")) for block in blocks)
    return signed != 1 or bool(message.get("content"))


_TYPES = {"thinking_blocks": list, "reasoning_details": list, "reasoning_content": str, "reasoning": str}


def _ignore_malformed(message: Block, report: Report) -> None:
    """Reports the forms that are of another type than their clients use: one client's `reasoning` is another's own."""
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


def _thinking(text: Any, signature: Any) -> Block:
    return {
        "type": "thinking",
        "thinking": text if isinstance(text, str) else "",
        "signature": signature if isinstance(signature, str) else "",
    }


def _joined(thoughts: list[Thought]) -> list[Thought]:
    """Streamed pieces put together: unsigned texts belong to the next block at their place that carries a signature."""
    joined: list[Thought] = []
    pieces: list[Thought] = []
    for thought in thoughts:
        apart = pieces and (thought.characters, thought.calls) != (pieces[0].characters, pieces[0].calls)
        if apart or thought.block["type"] != "thinking":
            joined += _whole(pieces)
            pieces = []
        if thought.block["type"] != "thinking":
            joined.append(thought)
            continue
        pieces.append(thought)
        if thought.block.get("signature"):
            joined += _whole(pieces)
            pieces = []
    return joined + _whole(pieces)


def _whole(pieces: list[Thought]) -> list[Thought]:
    if len(pieces) < 2:
        return pieces
    text = "".join(piece.block["thinking"] for piece in pieces)
    return [replace(pieces[0], block=_thinking(text, pieces[-1].block.get("signature")))]


def _says_something(block: Block) -> bool:
    return bool(block.get("data") or block.get("signature") or block.get("thinking", "").strip())


def _acceptable(block: Block, profile: Profile) -> bool:
    if not profile.thinking_replay or not profile.thinking:
        return False
    if block["type"] == "redacted_thinking":
        return bool(block["data"])
    if profile.unsigned_thinking:
        return bool(block["signature"] or block["thinking"].strip())
    return bool(block["signature"]) and not _FOREIGN.fullmatch(block["signature"])


_FOREIGN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,}")
"""What DeepSeek (a UUID) and vLLM (hexadecimal digits) put in the place of a signature; Anthropic's are long base64."""
