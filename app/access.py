"""Whose key goes upstream, and who may use the server's.

A client's own key is forwarded alone. The server's key steps in only for a client that has none (or whose key is not
forwarded), and only if that client may use it: 0.0.0.0 plus an injected key would be an open purse.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

from app.errors import Unauthorized
from app.settings import Settings

_FORWARDING_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip")
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


def upstream_credentials(headers: Mapping[str, str], address: str, settings: Settings) -> dict[str, str]:
    """The authentication headers for the upstream; empty if there is no key at all, as for a local model.

    `address` is the peer's, as the socket tells it. Raises Unauthorized with what to do about it.
    """
    key = client_key(headers)
    if settings.proxy_api_keys:
        if key is None or not _among(key[1], settings.proxy_api_keys):
            raise Unauthorized(
                "This proxy asks for a key of its own; send one of its PROXY_API_KEYS as 'Authorization: Bearer …' "
                "or 'x-api-key'."
            )
        return _server_credentials(settings)
    if key is not None and settings.forward_client_key:
        return {key[0]: headers[key[0]]}
    if settings.server_api_key and not _may_be_anonymous(headers, address, settings):
        raise Unauthorized(
            "This proxy does not share its own key with you. Send your upstream key as 'Authorization: Bearer …' or "
            "'x-api-key', or ask its operator about ALLOW_ANONYMOUS, TRUSTED_PROXIES and ALLOWED_HOSTS."
        )
    return _server_credentials(settings)


def client_key(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """(header name, key) of the client's key; `x-api-key` wins over Bearer, Azure's `api-key` comes last."""
    key = headers.get("x-api-key", "").strip()
    if key:
        return "x-api-key", key
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return "authorization", token.strip()
    key = headers.get("api-key", "").strip()
    return ("api-key", key) if key else None


def _server_credentials(settings: Settings) -> dict[str, str]:
    """In both headers: Anthropic's own reads either, others only one of them."""
    key = settings.server_api_key
    return {"x-api-key": key, "authorization": f"Bearer {key}"} if key else {}


def _among(key: str, keys: tuple[str, ...]) -> bool:
    """Compared in constant time, with each of `keys`."""
    matches = [hmac.compare_digest(key.encode("latin-1", "replace"), known.encode()) for known in keys]
    return any(matches)


def _may_be_anonymous(headers: Mapping[str, str], address: str, settings: Settings) -> bool:
    if settings.allow_anonymous != "private":
        return settings.allow_anonymous == "true"
    client = client_address(headers, address, settings)
    return client is not None and _is_private(client) and _is_local_name(headers.get("host", ""), settings)


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(headers: Mapping[str, str], address: str, settings: Settings) -> IPAddress | None:
    """The client's address; None for a stranger: one that came through a reverse proxy nobody listed."""
    peer = _parsed(address)
    if peer is None or not any(name in headers for name in _FORWARDING_HEADERS):
        return peer
    if not _trusted(peer, settings):
        return None
    # Each proxy appends who called it, so the last address that is no proxy of ours is the client.
    for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
        client = _parsed(hop.strip())
        if client is None or not _trusted(client, settings):
            return client
    return None


def _parsed(address: str) -> IPAddress | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80` or `::ffff:192.0.2.1`."""
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _trusted(address: IPAddress, settings: Settings) -> bool:
    return any(address in network for network in settings.trusted_proxies)


def _is_private(address: IPAddress) -> bool:
    return address.is_loopback or address.is_link_local or (address.is_private and not address.is_unspecified)


def _is_local_name(host: str, settings: Settings) -> bool:
    """Whether `Host` is no public name: with one, a web page whose name is rebound to 127.0.0.1 could call us."""
    name = host.strip().lower()
    if _parsed(name) is not None:
        return True
    name = name.partition(":")[0].rstrip(".")
    return "." not in name or name.endswith(_LOCAL_SUFFIXES) or name in settings.allowed_hosts
