"""Who may use the server's key: addresses, proxies in front, host names."""

import time

import pytest

from app import create_app
from app.access import cautions, shown_key, upstream_credentials
from app.client_address import client_addresses
from app.errors import Unauthorized
from app.settings import Settings

PROXY_HEADERS = """
x-forwarded x-forwarded-for x-forwarded-port x-forwarded-server x-forwarded-prefix x-original-forwarded-for
x-original-host x-original-url x-original-uri x-real-ip x-real-port x-client-ip x-cluster-client-ip x-remote-ip
x-remote-addr x-originating-ip x-proxyuser-ip x-scheme forwarded forwarded-for via true-client-ip client-ip
proxy-client-ip wl-proxy-client-ip cf-connecting-ip cf-connecting-ipv6 cf-ray cf-visitor cdn-loop
fastly-client-ip fastly-ff fly-client-ip fly-forwarded-port do-connecting-ip incap-client-ip x-sucuri-clientip
akamai-origin-hop x-akamai-edgescape x-amzn-trace-id x-amz-cf-id x-azure-clientip x-azure-ref x-arr-log-id
x-cloud-trace-context x-appengine-user-ip x-vercel-id x-nf-client-connection-ip x-envoy-external-address
x-envoy-expected-rq-timeout-ms tailscale-user-login ngrok-auth-user-id front-end-https
"""
"""Headers that reverse proxies, CDNs, tunnels and platforms document."""
SERVER = {"x-api-key": "sk-server", "authorization": "Bearer sk-server"}


def admitted(headers: dict[str, str], address: str = "127.0.0.1", **environ: str) -> bool:
    settings = Settings.from_env({"SERVER_API_KEY": "sk-server"} | environ)
    try:
        return upstream_credentials(headers, address, settings) == SERVER
    except Unauthorized:
        return False


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:5000", True),
        ("localhost.", True),
        ("app.localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("192.168.1.5", True),
        ("203.0.113.7:5000", True),
        ("[::1]:5000", True),
        ("[fe80::1%eth0]:5000", True),
        ("proxy:5000", True),
        ("host.docker.internal:5000", True),
        ("box.local", True),
        ("", True),
        ("evil.example", False),
        ("evil.example:5000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evillocal.example", False),
        ("llm.example.com", True),
        ("LLM.example.com.:443", True),
        ("other.example.com", False),
        ("my_proxy:5000", True),
        ("localhost:", True),
        # What is no host with a port is no local one either.
        ("::evil.example", False),
        (":5000", False),
        ("::1", False),
        ("[::1].evil.example", False),
        ("[::1]evil.example:5000", False),
        ("[::1", False),
        ("[localhost]", False),
        ("[127.0.0.1]", False),
        ("user@localhost", False),
        ("localhost@evil.example", False),
        ("evil.example:@localhost", False),
        ("localhost:5000:evil.example", False),
        ("localhost:evil", False),
        ("localhost:99999", False),
        ("localhost:-1", False),
        ("localhost:\u0665", False),
        ("127.0.0.1:evil", False),
        ("127.0.0.1%evil.example", False),
        ("127.0.0.1..", False),
        ("localhost,evil.example", False),
        ("localhost/evil.example", False),
        ("localhost evil.example", False),
        ("localhost..", False),
        (".", False),
        (".local", False),
        ("evil\xadexample", False),
        ("llm.example.com:https", False),
    ],
)
def test_a_public_host_name_may_be_a_rebound_one(host: str, expected: bool) -> None:
    assert admitted({"host": host}, ALLOWED_HOSTS="LLM.example.com") is expected


def test_who_may_be_anyone_may_have_any_host() -> None:
    assert admitted({"host": "evil.example"}, "8.8.8.8", ALLOW_ANONYMOUS="true")


@pytest.mark.parametrize(
    ("headers", "peer", "trusted", "expected"),
    [
        # Nobody listed: whoever came through a proxy is a stranger.
        ({"x-forwarded-for": "10.0.0.5"}, "127.0.0.1", "", False),
        ({"x-forwarded-for": ""}, "127.0.0.1", "", False),
        ({"forwarded": "for=10.0.0.5"}, "127.0.0.1", "", False),
        ({"x-real-ip": "10.0.0.5"}, "127.0.0.1", "", False),
        ({"x-forwarded-proto": "https"}, "127.0.0.1", "", False),
        ({"x-forwarded-host": "localhost"}, "127.0.0.1", "", False),
        ({"via": "1.1 squid"}, "127.0.0.1", "", False),
        ({"cf-connecting-ip": "10.0.0.5"}, "127.0.0.1", "", False),
        # Another proxy than the listed one.
        ({"x-forwarded-for": "10.0.0.5"}, "127.0.0.1", "10.9.9.9", False),
        # The listed one.
        ({"x-forwarded-for": "10.0.0.5"}, "127.0.0.1", "127.0.0.1", True),
        ({"x-forwarded-for": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "203.0.113.7"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.5:4711"}, "127.0.0.1", "127.0.0.1", True),
        ({"x-forwarded-for": "[fd00::5]:4711"}, "127.0.0.1", "127.0.0.1", True),
        ({"x-forwarded-for": "10.0.0.5"}, "::ffff:127.0.0.1", "127.0.0.1", True),
        ({"x-forwarded-for": "10.0.0.5:port"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.5:99999"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "[10.0.0.5]"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "[fd00::5]evil"}, "127.0.0.1", "127.0.0.1", False),
        # A listed one that does not tell who called may have been called by anybody.
        ({}, "127.0.0.1", "127.0.0.1", False),
        ({}, "10.0.0.9", "10.0.0.0/8", False),
        ({}, "192.168.0.9", "10.0.0.0/8", True),
        # What the client itself wrote stands on the left and is not believed.
        ({"x-forwarded-for": "10.0.0.5, 8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "127.0.0.1, 8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "8.8.8.8, 10.0.0.5"}, "127.0.0.1", "127.0.0.1", True),
        # A chain of listed ones.
        ({"x-forwarded-for": "8.8.8.8, 10.0.0.1"}, "127.0.0.1", "127.0.0.1, 10.0.0.0/8", False),
        ({"x-forwarded-for": "192.168.1.1, 10.0.0.1"}, "10.0.0.2", "10.0.0.0/8", True),
        # The client sits where the proxies are.
        ({"x-forwarded-for": "10.7.7.7, 10.0.0.1"}, "10.0.0.2", "10.0.0.0/8", True),
        # Nonsense is a stranger.
        ({"x-forwarded-for": "unknown"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.5,"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.999"}, "127.0.0.1", "127.0.0.1", False),
        # The other two ways to tell it.
        ({"x-real-ip": "10.0.0.5"}, "127.0.0.1", "127.0.0.1", True),
        ({"x-real-ip": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"forwarded": 'for=8.8.8.8, For="[fd00::5]:80";proto=https;by=x'}, "127.0.0.1", "127.0.0.1", True),
        ({"forwarded": "by=x;;for=10.0.0.5;, "}, "127.0.0.1", "127.0.0.1", True),
        ({"forwarded": "for=10.0.0.5, for=8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"forwarded": "for=_hidden"}, "127.0.0.1", "127.0.0.1", False),
        ({"forwarded": "proto=https"}, "127.0.0.1", "127.0.0.1", False),
        # A header that the proxy hands on as the client wrote it does not help the client.
        ({"x-forwarded-for": "8.8.8.8", "x-real-ip": "10.0.0.5"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.5", "forwarded": "for=8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-proto": "https"}, "127.0.0.1", "127.0.0.1", False),
        # Another proxy stands before the listed one, which takes that one for the client.
        ({"x-forwarded-for": "127.0.0.1", "cf-connecting-ip": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.1", "x-original-forwarded-for": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.1", "true-client-ip": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.1", "x-envoy-external-address": "8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.1", "x-real-ip": "10.0.0.1,8.8.8.8"}, "127.0.0.1", "127.0.0.1", False),
        ({"x-forwarded-for": "10.0.0.1", "cf-connecting-ip": "10.0.0.1"}, "127.0.0.1", "127.0.0.1", True),
    ],
)
def test_behind_a_reverse_proxy(headers: dict[str, str], peer: str, trusted: str, expected: bool) -> None:
    assert admitted(headers, peer, TRUSTED_PROXIES=trusted) is expected


@pytest.mark.parametrize(
    "header",
    PROXY_HEADERS.split(),
)
def test_a_proxy_that_nobody_declared_gives_itself_away(header: str) -> None:
    assert not admitted({header: "10.0.0.5", "host": "localhost"})


@pytest.mark.parametrize("header", ["x-request-id", "x-stainless-os", "x-api-version", "origin", "x-title", "x-app"])
def test_a_header_that_clients_write_gives_nobody_away(header: str) -> None:
    assert admitted({header: "10.0.0.5", "host": "localhost"})


@pytest.mark.parametrize(
    ("authorization", "key"),
    [
        ("Bearer sk-a", "sk-a"),
        ("bearer sk-a", "sk-a"),
        ("BEARER   sk-a  ", "sk-a"),
        ("Bearer\tsk-a", "sk-a"),
        # Several tools leave the scheme out.
        ("sk-a", "sk-a"),
        ("  sk-a ", "sk-a"),
        ("", ""),
        ("Bearer", ""),
        ("bearer ", ""),
        ("Basic", ""),
        # Meant for a reverse proxy in front.
        ("Basic dXNlcjpzZWNyZXQ=", ""),
        ("Digest username=a", ""),
        # No key has a blank in it; the upstream says so better than a silent change of keys.
        ("Bearer sk-a sk-b", "sk-a sk-b"),
    ],
)
def test_the_key_in_authorization(authorization: str, key: str) -> None:
    assert shown_key({"authorization": authorization}) == key
    sent = upstream_credentials({"authorization": authorization}, "8.8.8.8", Settings())
    assert sent == ({"authorization": f"Bearer {key}"} if key else {})


@pytest.mark.parametrize("authorization", ["Bearer pk-1", "bearer  pk-1", "pk-1"])
def test_a_key_of_the_proxy_is_known_however_it_is_written(authorization: str) -> None:
    assert admitted({"authorization": authorization}, "8.8.8.8", PROXY_API_KEYS="pk-1")
    assert admitted({"authorization": "Basic dXNlcg==", "x-api-key": "pk-1"}, "8.8.8.8", PROXY_API_KEYS="pk-1")
    assert not admitted({"authorization": f"{authorization},{authorization}"}, "8.8.8.8", PROXY_API_KEYS="pk-1")


def test_a_forged_header_gains_nothing_without_a_proxy() -> None:
    assert not admitted({"x-forwarded-for": "127.0.0.1"}, "8.8.8.8", TRUSTED_PROXIES="10.0.0.1")


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append((given, known))
        return given == known

    monkeypatch.setattr("app.access.hmac.compare_digest", compare)
    settings = Settings.from_env({"PROXY_API_KEYS": "pk-1,pk-2", "SERVER_API_KEY": "sk-server"})
    assert upstream_credentials({"x-api-key": "pk-1"}, "8.8.8.8", settings) == SERVER
    assert {(b"pk-1", b"pk-1"), (b"pk-1", b"pk-2")} <= set(compared)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, []),
        ({"SERVER_API_KEY": "sk-12345"}, []),
        ({"SERVER_API_KEY": "sk-1234"}, ["shorter than 8 characters"]),
        ({"ALLOW_ANONYMOUS": "true"}, []),
        ({"SERVER_API_KEY": "sk-12345", "ALLOW_ANONYMOUS": "true"}, ["0.0.0.0:5000 spends SERVER_API_KEY"]),
        ({"SERVER_API_KEY": "sk-12345", "ALLOW_ANONYMOUS": "true", "PROXY_API_KEYS": "p"}, []),
        ({"PROXY_API_KEYS": "p"}, ["without any key"]),
        ({"TRUSTED_PROXIES": "10.0.0.0/8"}, []),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, ["anyone"]),
        ({"TRUSTED_PROXIES": "::/0"}, ["anyone"]),
    ],
)
def test_an_operator_is_told_of_an_open_purse(
    environ: dict[str, str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    create_app(Settings.from_env({"UPSTREAM_BASE": "sandbox:"} | environ))
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == len(said)
    assert all(text in line for text, line in zip(said, warned, strict=True))


def test_addresses_of_a_direct_client() -> None:
    settings = Settings.from_env({})
    assert [str(found) for found in client_addresses({}, "192.168.0.4", settings)] == ["192.168.0.4"]
    assert client_addresses({}, "", settings) == [None]


@pytest.mark.parametrize(
    "forwarded",
    [
        'for=8.8.8.8;x="a;for=10.0.0.1"',
        'for=8.8.8.8;by="a,for=10.0.0.1"',
        'for=8.8.8.8;x="a;for=10.0.0.1',
        'host="for=10.0.0.1"',
        "for=8.8.8.8 for=10.0.0.1",
        "for=8.8.8.8 10.0.0.1",
        'for="8.8.8.8"for=10.0.0.1',
        "for=10.0.0.1=8.8.8.8",
        "for = 10.0.0.1",
    ],
)
def test_a_quoted_value_in_forwarded_is_no_address(forwarded: str) -> None:
    trusting = Settings.from_env({"TRUSTED_PROXIES": "127.0.0.1", "SERVER_API_KEY": "sk-server"})
    with pytest.raises(Unauthorized):
        upstream_credentials({"forwarded": forwarded, "host": "localhost"}, "127.0.0.1", trusting)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, []),
        ({"SERVER_API_KEY": "sk-server"}, []),
        ({"SERVER_API_KEY": "sk-server", "ALLOW_ANONYMOUS": "true"}, ["whoever reaches 0.0.0.0:5000 spends"]),
        ({"SERVER_API_KEY": "sk-server", "ALLOW_ANONYMOUS": "true", "PROXY_API_KEYS": "a"}, []),
        ({"PROXY_API_KEYS": "a"}, ["without any key"]),
        ({"SERVER_API_KEY": "sk-7777"}, ["SERVER_API_KEY is shorter than 8 characters"]),
        ({"UPSTREAM_BASE": "http://localhost:5000"}, ["UPSTREAM_BASE=http://localhost:5000 is this proxy itself"]),
        ({"UPSTREAM_BASE": "http://10.0.0.1:81", "HOST": "10.0.0.1", "PORT": "81"}, ["this proxy itself"]),
        ({"UPSTREAM_BASE": "http://localhost:5001"}, []),
        ({"UPSTREAM_BASE": "http://upstream.example:5000"}, []),
    ],
)
def test_an_operator_is_cautioned(environ: dict[str, str], words: list[str]) -> None:
    found = cautions(Settings.from_env(environ))
    assert len(found) == len(words)
    assert all(word in caution for word, caution in zip(words, found, strict=True))


@pytest.mark.parametrize(
    "forwarded", ['"a"' + '\\"' * 4000, "for=" * 2000, 'for="' + "\\a" * 4000, "; " * 4000, " " * 8000 + "="]
)
def test_a_long_header_is_read_once(forwarded: str) -> None:
    """A client writes it, and a proxy in front hands it on."""
    settings = Settings.from_env({"TRUSTED_PROXIES": "127.0.0.1"})
    began = time.monotonic()
    for _ in range(10):
        client_addresses({"forwarded": forwarded}, "127.0.0.1", settings)
    assert time.monotonic() - began < 1, "each took a second"
