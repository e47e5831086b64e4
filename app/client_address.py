"""Where a request comes from: the client's address behind reverse proxies, and the name it called us by."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from app.settings import Network, Settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_ADDRESS_HEADERS = (
    "x-forwarded-for",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-azure-clientip",
    "x-envoy-external-address",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "do-connecting-ip",
)
"""What reverse proxies and CDNs call the address that called them, beside `Forwarded` (RFC 7239)."""
_PROXIED = re.compile(
    r"""
    x-forwarded(-.*)? | forwarded(-for)? | via | x-original-.* | x-scheme | front-end-https
    | (x-)?(real|client|cluster-client|true-client|remote|originating|proxyuser)-(ip|addr|port)
    | (proxy|wl-proxy|incap)-client-ip | do-connecting-ip | x-nf-client-connection-ip
    | (cf|cdn|fastly|fly|akamai|tailscale|ngrok)-.*
    | x-(akamai|amzn|amz|appengine|arr|azure|cloud-trace|envoy|sucuri|vercel)-.*
    """,
    re.VERBOSE,
)
"""Headers that only a reverse proxy, a load balancer, a tunnel or a CDN writes."""
_FORWARDED_PAIR = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z0-9!\#$%&'*+.^_`|~-]+)=(?P<value>[^\s",;]*|"(?:[^"\\]|\\.)*")\s*)?(?:[,;]|\Z)"""
)
"""A `name=value` of RFC 7239, or nothing; a quoted value may hold what looks like another."""
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
_PORT = r"(?::(?P<port>[0-9]{0,5}))?"
_PLACE = re.compile(rf"(?:\[(?P<v6>[0-9A-Fa-f:.]+)(?:%[A-Za-z0-9._~%-]+)?\]|(?P<name>[A-Za-z0-9._-]*)){_PORT}")
"""RFC 3986's `host [":" port]`, without the user and the escapes that no `Host` header has."""
_BARE_V6 = re.compile(r"(?P<v6>[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(?:%[A-Za-z0-9._~-]+)?")
_DNS_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_KEPT = 256
"""Entries of the caches of header names and peers' addresses. What a header says is not cached: clients choose it."""
_HIGHEST_PORT = 65_535
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


def is_private(headers: Mapping[str, str], address: str, settings: Settings) -> bool:
    """Whether the client sits on this machine or a private network, and called us by no public name.

    `headers` by lower-case name; `address` is the peer's, as the socket tells it.
    """
    return _is_local_name(headers.get("host", ""), settings) and all(
        client is not None and _within(client, _PRIVATE) for client in client_addresses(headers, address, settings)
    )


def client_addresses(headers: Mapping[str, str], address: str, settings: Settings) -> list[IPAddress | None]:
    """Every address that the client may have; None stands for a stranger's.

    One from each header in which a proxy tells it: a proxy overwrites the header it knows and hands on the others as
    the client or another proxy wrote them, so a client counts as private only if all of them say so. A trusted proxy
    that tells none may have been called by anybody.
    """
    peer = _peer(address)
    is_trusted = peer is not None and _within(peer, settings.trusted_proxies)
    if not any(map(_is_of_a_proxy, headers)):
        return [None if is_trusted else peer]
    if not is_trusted:
        return [None]
    chains = [headers[name].split(",") for name in _ADDRESS_HEADERS if name in headers]
    if "forwarded" in headers:
        chains.append(_forwarded_for(headers["forwarded"]))
    return [_client_of(chain, settings) for chain in chains] or [None]


def _forwarded_for(header: str) -> list[str]:
    """The `for` values of a `Forwarded` header; one that is no address if there is none, or it is malformed."""
    found, position = [], 0
    while position < len(header):
        pair = _FORWARDED_PAIR.match(header, position)
        if pair is None:
            return ["?"]
        if (pair["name"] or "").lower() == "for":
            found.append(pair["value"])
        position = pair.end()
    return found or ["?"]


def _client_of(chain: list[str], settings: Settings) -> IPAddress | None:
    """Each proxy appends who called it, so the last address that is no proxy of ours is the client."""
    client = None
    for hop in reversed(chain):
        client = _parsed(hop.strip().strip('"'))
        if client is None or not _within(client, settings.trusted_proxies):
            break
    return client


@lru_cache(_KEPT)
def _is_of_a_proxy(header: str) -> bool:
    return _PROXIED.fullmatch(header) is not None


@lru_cache(_KEPT)
def _peer(address: str) -> IPAddress | None:
    return _parsed(address)


def _parsed(address: str) -> IPAddress | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80` or `::ffff:192.0.2.1`."""
    match = _BARE_V6.fullmatch(address) or _PLACE.fullmatch(address)
    return None if match is None else _address_in(match)


def _address_in(match: re.Match[str]) -> IPAddress | None:
    parts = match.groupdict()
    if int(parts.get("port") or 0) > _HIGHEST_PORT:
        return None
    try:
        if not parts["v6"]:
            return ipaddress.IPv4Address(parts["name"])
        parsed = ipaddress.IPv6Address(parts["v6"])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed


def _within(address: IPAddress, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_local_name(host: str, settings: Settings) -> bool:
    """Whether `Host` is an address or no public name: a web page's own name could be rebound to 127.0.0.1.

    Without `Host` it is no web page. What is not exactly a host and a port is refused, whatever it may mean elsewhere.
    """
    host = host.strip()
    if not host:
        return True
    match = _PLACE.fullmatch(host)
    if match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        return False
    if _address_in(match) is not None:
        return True
    name = (match["name"] or "").lower().removesuffix(".")
    if not _DNS_NAME.fullmatch(name):
        return False
    return "." not in name or name.endswith(_LOCAL_SUFFIXES) or name in settings.allowed_hosts
