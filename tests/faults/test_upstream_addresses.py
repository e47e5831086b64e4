"""From the upstream's name to a connection: lookups and peers that never answer, and IPv6."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .answers import TEXT
from .conftest import CONNECT_TIMEOUT, start
from .raw_client import CHAT, KINDS, MESSAGES, ask, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS
from .test_under_load import slowest_health
from .test_upstream_faults import SLACK, ask_all, error_of, text_of, unique

ODD_NAMES = "tests.faults.odd_names_wsgi:app"


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@contextlib.contextmanager
def deaf_port(family: int, host: str, port: int = 0) -> Iterator[int]:
    """A port whose queue is full: the kernel answers no further SYN, as a firewall that drops them does not."""
    with socket.socket(family) as listener, contextlib.ExitStack() as waiting:
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket(family))
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


def test_a_peer_that_never_answers_ends_within_the_connect_timeout() -> None:
    with deaf_port(socket.AF_INET, "127.0.0.1") as port:
        for server in start(UPSTREAM_BASE=f"http://127.0.0.1:{port}", UPSTREAM_CONNECT_TIMEOUT=CONNECT_TIMEOUT):
            for path, _, _, reply in ask_all(server, "good"):
                assert reply.status == 504
                assert CONNECT_TIMEOUT - 0.1 < reply.seconds < CONNECT_TIMEOUT + SLACK
                error_of(reply, path)


def test_a_name_lookup_that_hangs_ends_within_the_connect_timeout_and_stops_nobody() -> None:
    environ = {"UPSTREAM_BASE": "http://hangs.test:80", "UPSTREAM_CONNECT_TIMEOUT": CONNECT_TIMEOUT}
    for server in start(ODD_NAMES, **environ, FORWARD_COUNT_TO_UPSTREAM="false"):
        with ThreadPoolExecutor(20) as pool:
            kinds = [KINDS[at % 4] for at in range(20)]
            replies = [pool.submit(ask, server.port, path, unique("good"), stream) for path, stream in kinds]
            time.sleep(0.3)
            began = time.monotonic()
            text = request_body(MESSAGES, "m", False, messages=[{"role": "user", "content": "word " * 80_000}])
            counted = raw(server.port, request_bytes(f"{MESSAGES}/count_tokens", text))
            assert counted.json["input_tokens"] > 10_000
            assert time.monotonic() - began < 0.6, "counting needs none of the threads that wait for lookups"
            assert slowest_health(server, 0.2) < 0.2
            for (path, _), reply in zip(kinds, replies, strict=True):
                assert reply.result().status == 504
                assert reply.result().seconds < CONNECT_TIMEOUT + SLACK
                error_of(reply.result(), path)


@needs_ipv6
def test_an_ipv6_address_as_upstream() -> None:
    with RawUpstream(SCRIPTS, host="::1") as upstream:
        for server in start(UPSTREAM_BASE=f"http://[::1]:{upstream.port}"):
            for path, stream, model, reply in ask_all(server, "good"):
                assert text_of(reply, path, stream) == TEXT
                assert upstream.call_of(model).headers["host"] == f"[::1]:{upstream.port}"


@needs_ipv6
def test_ipv4_serves_where_ipv6_refuses(upstream: RawUpstream) -> None:
    for server in start(ODD_NAMES, UPSTREAM_BASE=f"http://broken-ipv6.test:{upstream.port}"):
        for path, stream, _, reply in ask_all(server, "good"):
            assert text_of(reply, path, stream) == TEXT


@needs_ipv6
def test_ipv4_serves_where_ipv6_never_answers(upstream: RawUpstream) -> None:
    environ = {"UPSTREAM_BASE": f"http://broken-ipv6.test:{upstream.port}", "UPSTREAM_CONNECT_TIMEOUT": 2}
    with deaf_port(socket.AF_INET6, "::1", upstream.port):
        for server in start(ODD_NAMES, **environ):
            first = ask(server.port, CHAT, unique("good"), False)
            upstream.close_connections()
            second = ask(server.port, CHAT, unique("good"), False)
            for reply in (first, second):
                assert text_of(reply, CHAT, False) == TEXT
            assert second.seconds < 0.5, "the next connection does not wait for IPv6 again"
