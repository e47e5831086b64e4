"""Token counts that are the same in count_tokens as in usage: four characters a token."""

from typing import Any

import orjson

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 3
TOKENS_PER_MEDIA_BLOCK = 1_500


def text_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def block_tokens(block: dict[str, Any]) -> int:
    """Tokens of one block of an answer; a signature is not text and costs nothing."""
    if block["type"] == "tool_use":
        return text_tokens(block["name"]) + text_tokens(orjson.dumps(block["input"]).decode())
    return text_tokens(block.get("text", "") + block.get("thinking", ""))


def input_tokens(messages_request: dict[str, Any]) -> int:
    """Tokens of system, messages and tools; what only steers sampling is not counted."""
    messages = messages_request["messages"]
    total = len(messages) * TOKENS_PER_MESSAGE
    for part in (
        messages_request.get("system"),
        messages_request.get("tools"),
        [m["content"] for m in messages],
    ):
        total += _tokens(part)
    return total


def _tokens(value: Any) -> int:
    if isinstance(value, str):
        return text_tokens(value)
    if isinstance(value, list):
        return sum(map(_tokens, value))
    if not isinstance(value, dict):
        return 0 if value is None else 1
    if value.get("type") in ("image", "document") and isinstance(value.get("source"), dict):
        source = value["source"]
        return _tokens(source.get("data")) if source.get("type") == "text" else TOKENS_PER_MEDIA_BLOCK
    return sum(text_tokens(key) + _tokens(item) for key, item in value.items() if key not in ("type", "cache_control"))
