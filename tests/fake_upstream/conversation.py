"""Views of a conversation that several rules and the scenario need."""

from collections.abc import Iterator
from typing import Any

from .terms import Block, Body, Terms

FORCING = ("any", "tool")
SERVER_RESULT = "_tool_result"


def blocks(content: Any) -> list[Block]:
    """The blocks of a message's or tool result's content; a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or [] if isinstance(block, dict)]


def messages(body: Body, *roles: str) -> Iterator[tuple[int, list[Block]]]:
    """(index, blocks) of the messages with one of the roles, of all without any."""
    for index, message in enumerate(body["messages"]):
        if not roles or message["role"] in roles:
            yield index, blocks(message["content"])


def _nested(block: Block, path: str) -> Iterator[tuple[str, Block]]:
    """The block itself and the blocks inside a tool result or a document made of blocks."""
    kind = block.get("type")
    yield f"{path}.{kind}", block
    inner = block.get("content")
    if kind == "document" and block["source"].get("type") == "content":
        inner, path = block["source"]["content"], f"{path}.document.source.content"
    elif kind in ("tool_result", "search_result"):
        path = f"{path}.{kind}"
    else:
        return
    for index, child in enumerate(inner if isinstance(inner, list) else []):
        yield from _nested(child, f"{path}.content.{index}")


def blocks_with_paths(body: Body) -> Iterator[tuple[str, Block]]:
    """(path with tag, block) of every block in the messages, in order, nested ones included."""
    for index, found in messages(body):
        for position, block in enumerate(found):
            yield from _nested(block, f"messages.{index}.content.{position}")


def turns(body: Body) -> list[tuple[str, list[Block]]]:
    """(role, blocks) of the conversation with adjacent messages of one role merged, as the API does."""
    merged: list[tuple[str, list[Block]]] = []
    for message in body["messages"]:
        if merged and merged[-1][0] == message["role"]:
            merged[-1][1].extend(blocks(message["content"]))
        else:
            merged.append((message["role"], blocks(message["content"])))
    return merged


def is_server_block(block: Block) -> bool:
    """A call of a server tool, or its result."""
    kind = str(block.get("type"))
    return kind == "server_tool_use" or (kind.endswith(SERVER_RESULT) and kind != "tool_result")


def ends_paused(body: Body) -> bool:
    """Whether the last message is an assistant turn paused at a server tool, sent back to be continued."""
    last = body["messages"][-1]
    found = blocks(last["content"])
    return last["role"] == "assistant" and bool(found) and is_server_block(found[-1])


def thinking_type(body: Body) -> str | None:
    """The type of the request's thinking setting, None when it has none."""
    setting = body.get("thinking")
    return setting["type"] if isinstance(setting, dict) else None


def thinks(body: Body, terms: Terms) -> bool:
    """Whether the model will think: asked for, or its default and not switched off."""
    kind = thinking_type(body)
    return terms.profile.thinks_by_default if kind is None else kind != "disabled"


def tool_name_of(tool: Block) -> str:
    """The name of a tool definition; toolsets go by their type, and by the MCP server that they belong to."""
    return str(tool.get("name") or f"{tool.get('type')} {tool.get('mcp_server_name', '')}".rstrip())


def texts(value: Any) -> Iterator[str]:
    """Every string that reaches the model: all but base64 data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (key == "data" and value.get("type") == "base64"):
                yield from texts(item)


def estimated_tokens(body: Body) -> int:
    """About four characters a token, over system, messages and tools; never 0."""
    parts = [body.get("system", ""), body["messages"], body.get("tools", [])]
    return 1 + sum(len(text) for text in texts(parts)) // 4
