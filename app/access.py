"""Whose key goes upstream, and who may use the server's.

A client's own key is forwarded alone. The server's key steps in only for a client that has none (or whose key is not
forwarded), and only if that client may use it: 0.0.0.0 plus an injected key would be an open purse.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from app.client_address import is_private
from app.errors import Unauthorized
from app.redaction import SHORTEST_KEY
from app.settings import Settings

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}
_SCHEMES = ("basic", "bearer", "digest", "negotiate", "ntlm")
"""Authentication schemes; alone in `Authorization` none of them is a key."""


def upstream_credentials(
    headers: Mapping[str, str], address: str, settings: Settings, bearer_first: bool = False
) -> dict[str, str]:
    """The authentication headers for the upstream; empty if there is no key at all, as for a local model.

    `headers` by lower-case name; `address` is the peer's, as the socket tells it. Of several keys `x-api-key` counts,
    as on Anthropic's API, or with `bearer_first` the Bearer token, as on OpenAI's.
    Raises Unauthorized with what to do about it.
    """
    keys = _client_keys(headers, bearer_first)
    if settings.proxy_api_keys:
        check_proxy_key(headers, settings)
        return _server_credentials(settings)
    if keys and settings.forward_client_key:
        return dict(keys[:1])
    if settings.server_api_key and not _may_be_anonymous(headers, address, settings):
        raise Unauthorized(
            "This proxy does not share its own key with you. Send your upstream key as 'Authorization: Bearer …' or "
            "'x-api-key', or ask its operator about ALLOW_ANONYMOUS, TRUSTED_PROXIES and ALLOWED_HOSTS."
        )
    return _server_credentials(settings)


def cautions(settings: Settings) -> list[str]:
    """What an operator should know of these settings before strangers do."""
    found = []
    if settings.server_api_key and settings.allow_anonymous == "true" and not settings.proxy_api_keys:
        found.append(f"ALLOW_ANONYMOUS=true: whoever reaches {settings.host}:{settings.port} spends SERVER_API_KEY")
    if settings.proxy_api_keys and not settings.server_api_key:
        found.append("PROXY_API_KEYS without SERVER_API_KEY: requests go upstream without any key")
    upstream = urlsplit(settings.upstream_base)
    if settings.port and upstream.port == settings.port and upstream.hostname in _THIS_MACHINE | {settings.host}:
        found.append(f"UPSTREAM_BASE={settings.upstream_base} is this proxy itself: every request will go in circles")
    if 0 < len(settings.server_api_key) < SHORTEST_KEY:
        found.append(
            f"SERVER_API_KEY is shorter than {SHORTEST_KEY} characters: clients see it if the upstream quotes it"
        )
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        found.append("TRUSTED_PROXIES holds every address: anyone may claim to be a neighbour")
    return found


def check_proxy_key(headers: Mapping[str, str], settings: Settings) -> None:
    """Raises Unauthorized if PROXY_API_KEYS is set and no key of the client is among them."""
    if settings.proxy_api_keys and not _any_among(_keys(headers), settings.proxy_api_keys):
        raise Unauthorized(
            "This proxy asks for a key of its own; send one of its PROXY_API_KEYS as 'Authorization: Bearer …' "
            "or 'x-api-key'."
        )


def _client_keys(headers: Mapping[str, str], bearer_first: bool) -> list[tuple[str, str]]:
    """(header, value) for each key of the client as the upstream reads it, the one that counts first.

    `api-key` is Azure's name; no Anthropic-compatible upstream reads it.
    """
    named = [("x-api-key", headers.get("x-api-key", "").strip()), ("authorization", _bearer(headers))]
    if bearer_first:
        named.reverse()
    named.append(("x-api-key", headers.get("api-key", "").strip()))
    return [(name, f"Bearer {key}" if name == "authorization" else key) for name, key in named if key]


def shown_key(headers: Mapping[str, str]) -> str:
    """The key that the client sent, whatever for; empty if it sent none."""
    return next(filter(None, _keys(headers)), "")


def _keys(headers: Mapping[str, str]) -> Iterator[str]:
    yield from (headers.get("x-api-key", "").strip(), _bearer(headers), headers.get("api-key", "").strip())


def _bearer(headers: Mapping[str, str]) -> str:
    """The token in `Authorization`, also of tools that leave `Bearer` out; other schemes are not meant for us."""
    words = headers.get("authorization", "").split(maxsplit=1)
    if len(words) == 1 and words[0].lower() not in _SCHEMES:
        return words[0]
    return words[1].strip() if len(words) == 2 and words[0].lower() == "bearer" else ""


def _server_credentials(settings: Settings) -> dict[str, str]:
    """In both headers: Anthropic's own reads either, others only one of them."""
    key = settings.server_api_key
    return {"x-api-key": key, "authorization": f"Bearer {key}"} if key else {}


def _any_among(given: Iterable[str], keys: tuple[str, ...]) -> bool:
    """Every pair is compared, each in constant time."""
    matches = [hmac.compare_digest(key.encode("utf-8", "replace"), known.encode()) for key in given for known in keys]
    return any(matches)


def _may_be_anonymous(headers: Mapping[str, str], address: str, settings: Settings) -> bool:
    if settings.allow_anonymous != "private":
        return settings.allow_anonymous == "true"
    return is_private(headers, address, settings)
