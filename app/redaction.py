"""Keys taken out of what an upstream says: some quote the key that they refuse, and it may be the server's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from app.errors import ProxyError, UpstreamRefusal

SHORTEST_KEY = 8
"""Characters; shorter keys are placeholders such as `dummy`, and words of ordinary sentences."""
_NO_WORD = 16
"""Characters from which on a key is no part of a word; a shorter one is redacted only where it stands alone."""
_REDACTED = "[redacted]"
_Error = TypeVar("_Error", bound=ProxyError)


def without_keys(error: _Error, credentials: Iterable[str]) -> _Error | UpstreamRefusal:
    """`error` without the keys that went upstream (`Bearer …` or bare); the words of our own errors hold none.

    A refusal whose body quotes a key, however escaped, is no longer `native`: its body is not to be passed on.
    """
    if not isinstance(error, UpstreamRefusal):
        return error
    keys = _secrets(credentials)
    return UpstreamRefusal(
        error.status,
        error.type,
        _without_cut_key(_without(error.message, keys), keys),
        None if error.code is None else _without(error.code, keys),
        {name: _without(value, keys) for name, value in error.headers.items()},
        error.body,
        error.native and not quotes_key(error.body, keys),
    )


def quotes_key(body: bytes, credentials: Iterable[str]) -> bool:
    """Whether any text in a JSON `body` quotes a key; a body that cannot be read may."""
    keys = _secrets(credentials)
    try:
        return any(_without(text, keys) != text for text in _texts(json.loads(body)))
    except (ValueError, RecursionError):
        return True


def headers_without_keys(headers: Mapping[str, str], credentials: Iterable[str]) -> Mapping[str, str]:
    """`headers` of an upstream's answer without the keys that went there."""
    keys = _secrets(credentials)
    said = "\n".join(headers.values())
    if not any(key in said for key in keys):
        return headers
    return {name: _without(value, keys) for name, value in headers.items()}


def _secrets(credentials: Iterable[str]) -> list[str]:
    """The keys in the values of authentication headers, without the placeholders."""
    keys = dict.fromkeys(value.removeprefix("Bearer ") for value in credentials)
    return [key for key in keys if len(key) >= SHORTEST_KEY]


def _without(text: str, keys: Iterable[str]) -> str:
    for key in keys:
        if key not in text:
            continue
        if len(key) >= _NO_WORD:
            text = text.replace(key, _REDACTED)
        else:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", _REDACTED, text)
    return text


def _without_cut_key(message: str, keys: Iterable[str]) -> str:
    """Long messages are cut: what one ends with may be the first part of a key."""
    for key in keys:
        for length in range(len(key) - 1, SHORTEST_KEY - 1, -1):
            if message.endswith(key[:length]):
                return message[:-length] + _REDACTED
    return message


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value, names included."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack += [*item, *item.values()]
        elif isinstance(item, list):
            stack += item
