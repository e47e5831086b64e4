"""Thinking that a client sends back -> the exact blocks the upstream signed, where they stood in the answer."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.profiles.profile import Profile
from app.translate.content import is_blank, text_block
from app.translate.report import Report
from app.translate.thinking_forms import Thought, ignore_malformed, thinking_block, thinking_forms

Block = dict[str, Any]


def replayed_thinking(message: Block, known: Sequence[Block], profile: Profile, report: Report) -> list[Thought]:
    """The thinking blocks of an assistant message; the first form that yields any wins.

    A signed block is never changed. Unsigned ones go to upstreams that take them; elsewhere they are left out, and
    reported. So is a form of another type than its clients use.
    """
    ignore_malformed(message, report)
    lost: list[str] = []
    for path, thoughts in thinking_forms(message, known):
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
    return [replace(pieces[0], block=thinking_block(text, pieces[-1].block.get("signature")))]


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
