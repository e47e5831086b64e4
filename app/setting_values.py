"""Environment values: text in, a checked value out. A parser's docstring is what an error says was expected."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from app.profiles.profile import Profile, overridden

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SANDBOX = "sandbox:"
_VISIBLE = re.compile(r"[!-~]+")
_BELOW_BASE = re.compile(r"/+v1(/+messages)?$")
"""What is pasted along with a base URL, and added here anyway."""
_PRINTABLE = re.compile(r"[ -~]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")


def text(raw: str) -> str:
    """a line of text"""
    if not raw.isprintable():
        raise ValueError
    return raw


def visible(raw: str) -> str:
    """visible ASCII characters without spaces"""
    if not _VISIBLE.fullmatch(raw):
        raise ValueError
    return raw


def header_text(raw: str) -> str:
    """printable ASCII characters"""
    if not _PRINTABLE.fullmatch(raw):
        raise ValueError
    return raw


def keys(raw: str) -> tuple[str, ...]:
    """a comma-separated list of keys, each of visible ASCII characters"""
    return tuple(map(visible, names(raw)))


def truth(raw: str) -> bool:
    """`true` or `false`"""
    word = raw.lower()
    if word not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ValueError
    return word in {"true", "1", "yes", "on"}


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        number = int(raw)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    parse.__doc__ = f"a whole number from {lowest} to {highest}"
    return parse


def seconds(raw: str) -> float:
    """a number of seconds above 0"""
    number = float(raw)
    if not 0 < number < 1e6:
        raise ValueError
    return number


def one_of(*words: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw.lower() not in words:
            raise ValueError
        return raw.lower()

    parse.__doc__ = "one of " + ", ".join(words)
    return parse


def upstream_base(raw: str) -> str:
    """an http:// or https:// URL without user, query and fragment, or `sandbox:`"""
    if raw == SANDBOX:
        return raw
    url = _http_url(raw)
    if url.port == 0 or "?" in raw or "#" in raw:
        raise ValueError
    return f"{url.scheme}://{url.netloc}{_BELOW_BASE.sub('', url.path.rstrip('/'))}"


def proxy_url(raw: str) -> str:
    """an http:// URL with a host and a port, without user"""
    url = _http_url(raw)
    if url.scheme != "http" or not url.port:
        raise ValueError
    return raw


def _http_url(raw: str) -> SplitResult:
    url = urlsplit(visible(raw))
    if url.scheme not in {"http", "https"} or not url.hostname or "@" in url.netloc:
        raise ValueError
    return url


def readable_file(raw: str) -> str:
    """the path of a file that this process can read"""
    if not Path(raw).is_file() or not os.access(raw, os.R_OK):
        raise ValueError
    return raw


def names(raw: str) -> tuple[str, ...]:
    """a comma-separated list; of nothing but commas it is a mistake, which for keys would let everybody in"""
    found = tuple(part.strip() for part in raw.split(",") if part.strip())
    if not found:
        raise ValueError
    return found


def hosts(raw: str) -> tuple[str, ...]:
    """a comma-separated list of host names without port, such as llm.example.com"""
    found = tuple(name.lower().rstrip(".") for name in names(raw))
    if not all(re.fullmatch(r"[a-z0-9._-]+", name) for name in found):
        raise ValueError
    return found


def origins(raw: str) -> tuple[str, ...]:
    """a comma-separated list of origins such as https://app.example.com, or *"""
    found = tuple(origin.lower().rstrip("/") for origin in names(raw))
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError
    return found


def networks(raw: str) -> tuple[Network, ...]:
    """a comma-separated list of IP addresses or networks such as 10.0.0.0/8"""
    return tuple(ipaddress.ip_network(part, strict=False) for part in names(raw))


def model_map(raw: str) -> dict[str, str]:
    """a JSON object of strings, such as {"gpt-4o": "glm-4.6"}"""
    value = json.loads(raw)
    if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
        raise ValueError
    return value


def model_list(raw: str) -> tuple[str, ...]:
    """a JSON array of strings, such as ["glm-4.5","glm-4.5v"]"""
    value = json.loads(raw)
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError
    return tuple(value)


def profile_overrides(raw: str) -> dict[str, dict[str, Any]]:
    """a JSON object: model name pattern -> profile fields, such as {"my-model*": {"sampling": "none"}}"""
    value = json.loads(raw)
    if not isinstance(value, dict) or not all(isinstance(changes, dict) for changes in value.values()):
        raise ValueError
    for pattern, changes in value.items():
        overridden(Profile(), pattern.replace("*", ""), {pattern: changes})
    return value


def thinking_store(raw: str) -> str:
    """`shared`, `memory`, `off` or a redis:// URL"""
    if raw in {"shared", "memory", "off"}:
        return raw
    url = urlsplit(visible(raw))
    has_place = bool(url.path) if url.scheme == "unix" else bool(url.hostname) and url.port != 0
    if url.scheme not in {"redis", "rediss", "unix"} or not has_place:
        raise ValueError
    return raw
