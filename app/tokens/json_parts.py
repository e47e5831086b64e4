"""JSON values as the text a model is shown: tool schemas, tool inputs, blocks without a rule of their own."""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

from app.tokens.families import Family
from app.tokens.media import image_tokens, pdf_tokens
from app.tokens.sampling import SLICE_CHARS

# A text to be counted, or tokens already known.
Part = str | int

# Fields of a tool or block that steer the API and never reach the model.
_STEERING = frozenset({"cache_control", "strict", "defer_loading", "eager_input_streaming", "allowed_callers"})


def json_parts(value: Any, family: Family) -> Iterator[Part]:
    """`value` as compact JSON in pieces long enough to be counted one by one; lazy and without recursion.

    json.dumps would hold the interpreter for half a second on a large value and fail on a deep one.
    """
    pending: list[str] = []
    chars = 0
    for part in _fragments(value, family):
        if isinstance(part, int):
            yield part
            continue
        pending.append(part)
        chars += len(part)
        if chars >= SLICE_CHARS:
            yield "".join(pending)
            pending.clear()
            chars = 0
    yield "".join(pending)


def encrypted_tokens(value: Any) -> int:
    """Tokens inside an encrypted base64 field, four bytes each; 0 for anything but a string."""
    return len(value) * 3 // 16 if isinstance(value, str) else 0


def _fragments(value: Any, family: Family) -> Iterator[Part]:
    """Strings stay unescaped: models are shown them as they are."""
    containers: list[Iterator[tuple[Any, Any]]] = [iter([("", value)])]
    closers = [""]
    while containers:
        entry = next(containers[-1], None)
        if entry is None:
            containers.pop()
            yield closers.pop()
            continue
        key, node = entry
        if len(containers) == 2 and key in _STEERING:
            continue
        if key:
            yield f'"{key}":'
        opened = _opened(node)
        if opened is None:
            yield _leaf(key, node, family)
            continue
        opener, entries, closer = opened
        yield opener
        containers.append(entries)
        closers.append(closer)


def _opened(node: Any) -> tuple[str, Iterator[tuple[Any, Any]], str] | None:
    """How a container begins, its keys and values, and how it ends; None for what is shown at once."""
    if isinstance(node, Mapping) and not _is_media(node):
        return "{", iter(node.items()), "},"
    if isinstance(node, list):
        return "[", zip(repeat(""), node), "],"
    return None


def _leaf(key: str, node: Any, family: Family) -> Part:
    if isinstance(node, Mapping):
        return _media_tokens(node, family)
    if isinstance(node, str) and key.startswith("encrypted_"):
        return encrypted_tokens(node)
    return _scalar(node)


def _is_media(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "base64" and isinstance(node.get("data"), str)


def _media_tokens(source: Mapping[str, Any], family: Family) -> int:
    is_pdf = source.get("media_type") == "application/pdf"
    return pdf_tokens(source["data"]) if is_pdf else image_tokens(source["data"], family)


def _scalar(node: Any) -> str:
    if isinstance(node, str):
        return f'"{node}",'
    # Python refuses to write an integer of more than 4,300 decimal digits.
    if isinstance(node, int) and node.bit_length() > 1_000:
        return f"{node:x},"
    return f"{node},"
