"""Tool calls as a client knows them: id, name and arguments, read from messages that nobody has validated."""

from __future__ import annotations

from typing import Any, NamedTuple

Block = dict[str, Any]


class ToldCall(NamedTuple):
    """`arguments` are JSON text or its value, or the text of a custom tool; without an id (the legacy
    `function_call`), `id` is empty."""

    id: str
    name: str
    arguments: Any


def told_calls(message: Block) -> list[ToldCall]:
    """The calls of an assistant message, wherever they stand; what is odd is passed over."""
    made = message.get("tool_calls")
    found = [_tool_call(call) for call in made if isinstance(call, dict)] if isinstance(made, list) else []
    if isinstance(message.get("function_call"), dict):
        found.append(_tool_call({"function": message["function_call"]}))
    found += [_told(part.get("id"), part.get("name"), part.get("input")) for _, part in tool_uses(message)]
    return found


def tool_uses(message: Block) -> list[tuple[int, Block]]:
    """(index, part) of the calls that Cursor sends as Anthropic blocks inside a chat request."""
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [(i, part) for i, part in enumerate(content) if isinstance(part, dict) and part.get("type") == "tool_use"]


def _tool_call(call: Block) -> ToldCall:
    custom, function = call.get("custom"), call.get("function")
    if isinstance(custom, dict):
        return _told(call.get("id"), custom.get("name"), custom.get("input"))
    if isinstance(function, dict):
        return _told(call.get("id"), function.get("name"), function.get("arguments"))
    return _told(call.get("id"), None, None)


def _told(id: Any, name: Any, arguments: Any) -> ToldCall:
    return ToldCall(id if isinstance(id, str) else "", name if isinstance(name, str) else "", arguments)
