"""What of a Messages request reaches the model, as texts to count and as flat token counts."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app.tokens.families import Family
from app.tokens.json_parts import Part, encrypted_tokens, json_parts
from app.tokens.media import UNKNOWN_IMAGE_TOKENS, UNKNOWN_PDF_TOKENS, image_tokens, pdf_tokens

# Anthropic counts 8 tokens for the one message "Hello".
REQUEST_TOKENS = 3
MESSAGE_TOKENS = 4
TOOL_TOKENS = 10
TOOL_CALL_TOKENS = 10
# Tools that Anthropic defines, by their type without its date ("bash_20250124"); from the page of each tool.
_ANTHROPIC_TOOL = re.compile(r"_20\d{6}$")
_ANTHROPIC_TOOL_TOKENS = {"bash": 245, "text_editor": 700, "computer": 735}
_OTHER_ANTHROPIC_TOOL_TOKENS = 500

# Deeper content than the API allows is counted as JSON, which needs no recursion.
_MAX_CONTENT_DEPTH = 8


def request_parts(messages_request: Mapping[str, Any], family: Family) -> Iterator[Part]:
    """All parts of a Messages request, the messages last; any JSON shape is taken as it comes."""
    yield REQUEST_TOKENS
    yield from _content(messages_request.get("system"), family)
    yield from _tools(messages_request.get("tools"), family)
    output_config = messages_request.get("output_config")
    output_format = output_config.get("format") if isinstance(output_config, Mapping) else None
    for instruction in (messages_request.get("tool_choice"), output_format):
        if instruction:
            yield from json_parts(instruction, family)
    messages = messages_request.get("messages")
    for message in messages if isinstance(messages, list) else [messages]:
        yield MESSAGE_TOKENS
        yield from _content(message.get("content") if isinstance(message, Mapping) else message, family)


def _tools(tools: Any, family: Family) -> Iterator[Part]:
    if not isinstance(tools, list) or not tools:
        return
    yield family.tool_prompt
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if isinstance(kind, str) and _ANTHROPIC_TOOL.search(kind):
            yield _ANTHROPIC_TOOL_TOKENS.get(kind[:-9], _OTHER_ANTHROPIC_TOOL_TOKENS)
        else:
            yield TOOL_TOKENS
            yield from json_parts(tool, family)


def _content(content: Any, family: Family, depth: int = 0) -> Iterator[Part]:
    """A string, a list of blocks, or one block."""
    if isinstance(content, str):
        yield content
    elif depth > _MAX_CONTENT_DEPTH:
        yield from json_parts(content, family)
    elif isinstance(content, list):
        for block in content:
            yield from _block(block, family, depth)
    elif content is not None:
        yield from _block(content, family, depth)


def _block(block: Any, family: Family, depth: int) -> Iterator[Part]:
    # A block without text is a place to interrupt a long count, too.
    yield 0
    kind = block.get("type") if isinstance(block, Mapping) else None
    if not isinstance(kind, str):
        yield from json_parts(block, family)
        return
    # web_search_tool_result, mcp_tool_result and those to come are built like tool_result.
    name = "tool_result" if kind.endswith("_tool_result") else kind
    parts = _BLOCKS.get(name)
    yield from parts(block, family, depth + 1) if parts else json_parts(block, family)


def _text(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    # Text quoted by citations is not counted: Anthropic, "Citations", token costs.
    yield from _content(block.get("text"), family, depth)


def _image(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    source = block.get("source")
    data = source.get("data") if isinstance(source, Mapping) else None
    yield image_tokens(data, family) if isinstance(data, str) else UNKNOWN_IMAGE_TOKENS


def _document(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield from _fields(block, ("title", "context"), family, depth)
    source = block.get("source")
    source = source if isinstance(source, Mapping) else {}
    kind = source.get("type")
    if kind == "text":
        yield from _content(source.get("data"), family, depth)
    elif kind == "content":
        yield from _content(source.get("content"), family, depth)
    elif kind == "base64" and isinstance(source.get("data"), str):
        yield pdf_tokens(source["data"])
    else:
        yield UNKNOWN_PDF_TOKENS


def _search_result(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield from _fields(block, ("source", "title", "content"), family, depth)


def _web_fetch_result(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield from _fields(block, ("url", "content"), family, depth)


def _tool_use(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield TOOL_CALL_TOKENS
    yield from _fields(block, ("name",), family, depth)
    yield from json_parts(block.get("input"), family)


def _tool_result(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield TOOL_CALL_TOKENS
    yield from _fields(block, ("content",), family, depth)


def _thinking(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    """Earlier turns' thinking too, which old Claude models leave out: more turns must not count less."""
    if block.get("thinking"):
        yield from _fields(block, ("thinking",), family, depth)
    else:
        # Shown empty, the thinking is inside the signature.
        yield encrypted_tokens(block.get("signature"))


def _redacted_thinking(block: Mapping[str, Any], family: Family, depth: int) -> Iterator[Part]:
    yield encrypted_tokens(block.get("data"))


_BLOCKS: dict[str, Callable[[Mapping[str, Any], Family, int], Iterator[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "web_fetch_result": _web_fetch_result,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "mcp_tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
}


def _fields(block: Mapping[str, Any], names: Iterable[str], family: Family, depth: int) -> Iterator[Part]:
    for name in names:
        yield from _content(block.get(name), family, depth)
