"""Whose key goes upstream, and who may use the server's.

A client's own key is forwarded alone. The server's key steps in only for a client that has none (or whose key is not
forwarded), and only if that client may use it: 0.0.0.0 plus an injected key would be an open purse.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from app.errors import Unauthorized
from app.settings import Network, Settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PROXIED = re.compile(r"x-forwarded(-.*)?|forwarded|via|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip")
"""Headers that only a proxy writes."""
_FORWARDED_PAIR = re.compile(r'(?:[^",;]|"(?:\\.|[^"\\])*")+')
"""A `name=value` of RFC 7239; a quoted value may hold what looks like another."""
_FORWARDED_FOR = re.compile(r"\s*for\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
_PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, 3927, 4193 and 4291. `ipaddress` calls more private: ranges that are nobody's, such as 203.0.113.0/24."""
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


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
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
    return _is_local_name(headers.get("host", ""), settings) and all(
        client is not None and _within(client, _PRIVATE) for client in client_addresses(headers, address, settings)
    )


def client_addresses(headers: Mapping[str, str], address: str, settings: Settings) -> list[IPAddress | None]:
    """Every address that the client may have; None stands for a stranger's.

    One from each header in which a proxy tells it: a proxy overwrites the header it knows and hands on the others as
    the client wrote them, so a client counts as private only if all of them say so.
    """
    peer = _parsed(address)
    if not any(map(_PROXIED.fullmatch, headers)):
        return [peer]
    if peer is None or not _within(peer, settings.trusted_proxies):
        return [None]
    chains = [
        headers["x-forwarded-for"].split(",") if "x-forwarded-for" in headers else [],
        _forwarded_for(headers["forwarded"]) if "forwarded" in headers else [],
        [headers["x-real-ip"]] if "x-real-ip" in headers else [],
    ]
    return [_client_of(chain, settings) for chain in chains if chain] or [None]


def _forwarded_for(header: str) -> list[str]:
    """The `for` values of a `Forwarded` header; one that is no address if there is none or its quotes do not match."""
    if header.replace('\\"', "").count('"') % 2:
        return ["?"]
    pairs = map(_FORWARDED_FOR.fullmatch, _FORWARDED_PAIR.findall(header))
    return [pair[1] for pair in pairs if pair] or ["?"]


def _client_of(chain: list[str], settings: Settings) -> IPAddress | None:
    """Each proxy appends who called it, so the last address that is no proxy of ours is the client."""
    client = None
    for hop in reversed(chain):
        client = _parsed(hop.strip().strip('"'))
        if client is None or not _within(client, settings.trusted_proxies):
            break
    return client


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


def _within(address: IPAddress, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_local_name(host: str, settings: Settings) -> bool:
    """Whether `Host` is no public name: with one, a web page whose name is rebound to 127.0.0.1 could call us."""
    name = host.strip().lower()
    if _parsed(name) is not None:
        return True
    name = name.partition(":")[0].rstrip(".")
    return "." not in name or name.endswith(_LOCAL_SUFFIXES) or name in settings.allowed_hosts
