"""What `stop_sequences` and `max_tokens` leave of an answer."""

from dataclasses import dataclass
from typing import Any

from app.sandbox.token_estimate import CHARACTERS_PER_TOKEN, block_tokens

Json = dict[str, Any]


@dataclass(frozen=True)
class LimitedContent:
    """The content that is sent, and the limit that ended it (None: it is whole)."""

    blocks: list[Json]
    stop_reason: str | None = None
    stop_sequence: str | None = None


def limited(content: list[Json], stop_sequences: list[str], max_tokens: int | None) -> LimitedContent:
    """Cut `content` before the first stop sequence in its text or at `max_tokens`, whichever comes first."""
    stopped = _stopped(content, [stop for stop in stop_sequences if isinstance(stop, str) and stop])
    if max_tokens is None:
        return stopped
    shortened = _shortened(stopped.blocks, max_tokens)
    return stopped if shortened is None else LimitedContent(shortened, "max_tokens")


def _stopped(content: list[Json], stop_sequences: list[str]) -> LimitedContent:
    for index, block in enumerate(content):
        text = block.get("text", "")
        hits = [(text.index(stop), stop) for stop in stop_sequences if stop in text]
        if hits:
            end, stop = min(hits)
            kept = [{**block, "text": text[:end]}] if end else []
            return LimitedContent([*content[:index], *kept], "stop_sequence", stop)
    return LimitedContent(content)


def _shortened(content: list[Json], max_tokens: int) -> list[Json] | None:
    """The blocks that fit, the last one cut; None when all fit. A tool call is sent whole or not at all."""
    left = max_tokens
    for index, block in enumerate(content):
        needed = block_tokens(block)
        if needed <= left:
            left -= needed
            continue
        text_key = block["type"]
        if left and text_key in ("text", "thinking"):
            cut = {**block, text_key: block[text_key][: left * CHARACTERS_PER_TOKEN]}
            return [*content[:index], cut]
        return content[:index]
    return None
