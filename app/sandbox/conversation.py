"""What a Messages request says: the last user turn, its text and tool results, the media anywhere in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """The last user turn: consecutive user messages count as one, as in the API."""

    blocks: list[Json]

    @property
    def text(self) -> str:
        """The user's words. Claude Code puts its reminders into text blocks of their own: left out."""
        texts = (str(block.get("text", "")) for block in self.blocks if block["type"] == "text")
        return "\n".join(text for text in texts if not text.lstrip().startswith("<system-reminder>")).strip()

    @property
    def tool_results(self) -> list[Json]:
        return [block for block in self.blocks if block["type"] == "tool_result"]


def last_user_turn(messages: list[Json]) -> Turn:
    """The last run of user messages; what follows it (a prefill, a late system message) is passed over."""
    end = len(messages)
    while end and messages[end - 1]["role"] != "user":
        end -= 1
    start = end
    while start and messages[start - 1]["role"] == "user":
        start -= 1
    return Turn([block for message in messages[start:end] for block in blocks(message["content"])])


def blocks(content: Any) -> list[Json]:
    """Content as blocks: a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and isinstance(block.get("type"), str)]


def called_tools(messages: list[Json]) -> dict[str, str]:
    """Tool name by tool_use id, over the whole conversation."""
    return {
        str(block.get("id")): str(block.get("name"))
        for message in messages
        for block in blocks(message["content"])
        if block["type"] == "tool_use"
    }


def result_text(tool_result: Json) -> str:
    """The text of a tool_result; other blocks in it appear as their type in brackets."""
    parts = blocks(tool_result.get("content"))
    return " ".join(str(part.get("text", "")) if part["type"] == "text" else f"[{part['type']}]" for part in parts)


def media_types(messages: list[Json], block_type: str) -> list[str]:
    """The media type of every `image` or `document` block in order, those inside tool results included.

    A source without a media type (`url`, `file`) counts under its source type.
    """
    found = (block for message in messages for block in _with_nested(message["content"]))
    return [_media_type(block) for block in found if block["type"] == block_type]


def _with_nested(content: Any) -> Iterator[Json]:
    for block in blocks(content):
        yield block
        if block["type"] == "tool_result":
            yield from blocks(block.get("content"))


def _media_type(block: Json) -> str:
    source = block.get("source")
    if not isinstance(source, dict):
        return "no source"
    return str(source.get("media_type") or source.get("type"))
