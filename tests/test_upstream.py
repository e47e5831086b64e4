"""The upstream's answers read in this process, where a wait blocks in `poll` as under `flask run`."""

import contextlib
import gc
import select
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import upstream as upstream_module
from app.errors import InvalidRequest, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from app.settings import Settings
from app.transport.answer_parser import AnswerParser
from app.upstream import Answer, Pending, Upstream

from .faults.answers import message
from .faults.certificates import Authority
from .faults.raw_upstream import RawUpstream
from .faults.scripts import LEFTOVER, SCRIPTS, redirect

HEADERS = {"content-type": "application/json", "x-api-key": "k"}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream(SCRIPTS | {"redirect": redirect(307, "http://127.0.0.1:9")}) as raw:
        yield raw


def upstream_at(raw: RawUpstream, **environ: str) -> Upstream:
    base = {"UPSTREAM_BASE": f"http://127.0.0.1:{raw.port}", "UPSTREAM_READ_TIMEOUT": "0.5"}
    return Upstream(Settings.from_env(base | environ))


def sent(upstream: Upstream, model: str, keep_alive: bool = False) -> Answer | Pending:
    return upstream.send("POST", "/v1/messages", HEADERS, b'{"model": "%s"}' % model.encode(), keep_alive=keep_alive)


def body_of(upstream: Upstream, model: str) -> bytes:
    answer = sent(upstream, model)
    assert isinstance(answer, Answer)
    return answer.body()


def test_connections_are_used_again(raw: RawUpstream) -> None:
    upstream, before = upstream_at(raw), raw.accepted
    for model in ("good", "gzipped", "early-hints", "good", "refused-400", "byte-by-byte", "redirect", "good"):
        if model == "redirect":
            with pytest.raises(UpstreamBroken, match="redirect"):
                sent(upstream, model)
        else:
            assert body_of(upstream, model)
    assert raw.accepted == before + 1


@pytest.mark.parametrize("model", ["leftover", "switching-protocols", "length-too-short", "until-close", "close-after"])
def test_a_connection_that_is_not_in_step_is_not_used_again(raw: RawUpstream, model: str) -> None:
    upstream, before = upstream_at(raw), raw.accepted
    if model == "switching-protocols":
        with pytest.raises(UpstreamBroken, match="101"):
            sent(upstream, model)
    else:
        body_of(upstream, model)
    time.sleep(0.2)
    assert body_of(upstream, "good") == message()
    assert raw.accepted == before + 2


def test_bytes_that_come_while_a_connection_is_idle_are_nobodys(raw: RawUpstream) -> None:
    upstream = upstream_at(raw)
    body_of(upstream, "late-leftover")
    time.sleep(0.3)
    assert LEFTOVER.encode() not in body_of(upstream, "good")


def test_a_request_is_sent_again_only_if_the_pooled_connection_was_closed(raw: RawUpstream) -> None:
    upstream = upstream_at(raw)
    body_of(upstream, "good")
    raw.close_connections()
    time.sleep(0.1)
    assert body_of(upstream, "good#after") == message()
    assert len(raw.calls_of("good#after")) == 1
    with pytest.raises(UpstreamBroken):
        sent(upstream, "reset-before-head#once")
    assert len(raw.calls_of("reset-before-head#once")) == 1


def test_an_answer_that_is_not_read_to_its_end_ends_its_connection(raw: RawUpstream) -> None:
    answer = sent(upstream_at(raw), "silence-mid-body#closed")
    answer.close()
    assert raw.call_of("silence-mid-body#closed").left.wait(2)


def test_an_answer_that_cannot_be_read_ends_or_frees_its_connection(raw: RawUpstream) -> None:
    upstream, before = upstream_at(raw), raw.open_connections
    with pytest.raises(UpstreamBroken, match="compressed"):
        body_of(upstream, "brotli")
    with pytest.raises(UpstreamBroken):
        body_of(upstream, "gzip-cut")
    with pytest.raises(UpstreamBroken):
        body_of(upstream, "no-gzip")
    time.sleep(0.1)
    assert raw.open_connections <= before + 1


def test_deadlines_of_the_first_byte_and_between_bytes(raw: RawUpstream) -> None:
    upstream = upstream_at(raw, UPSTREAM_FIRST_BYTE_TIMEOUT="1")
    for model, seconds in (("silence", 1.0), ("dribbled-head", 1.0), ("silence-mid-body", 0.5)):
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            body_of(upstream, model)
        assert seconds - 0.1 < time.monotonic() - began < seconds + 0.6


def test_an_answer_that_is_long_in_coming_is_pending(raw: RawUpstream) -> None:
    upstream = upstream_at(raw, UPSTREAM_READ_TIMEOUT="5", KEEPALIVE_INTERVAL="0.5")
    pending = sent(upstream, "late", keep_alive=True)
    waits = 0
    while isinstance(pending, Pending):
        waits += 1
        pending = pending.answer() or pending
    assert 2 <= waits <= 4
    assert pending.body() == message()
    assert body_of(upstream, "late") == message(), "only for who can be kept alive"


def test_who_waits_for_an_answer_does_not_hold_the_request(raw: RawUpstream) -> None:
    """It may be large, and a model think for minutes."""
    body = b'{"model": "late#held"}'
    before = sys.getrefcount(body)
    upstream = upstream_at(raw, UPSTREAM_READ_TIMEOUT="5", KEEPALIVE_INTERVAL="0.05")
    pending = upstream.send("POST", "/v1/messages", HEADERS, body, keep_alive=True)
    assert isinstance(pending, Pending)
    assert sys.getrefcount(body) == before
    pending.close()


def test_what_read_an_answer_is_freed_without_the_collector(raw: RawUpstream) -> None:
    def parsers() -> int:
        return sum(isinstance(tracked, AnswerParser) for tracked in gc.get_objects())

    upstream = upstream_at(raw)
    gc.collect()
    gc.disable()
    try:
        before = parsers()
        assert body_of(upstream, "good")
        sent(upstream, "silence-mid-body").close()
        assert parsers() == before
    finally:
        gc.enable()


def test_an_answer_that_is_too_large(raw: RawUpstream) -> None:
    upstream = upstream_at(raw, MAX_ANSWER_BYTES="100000", UPSTREAM_READ_TIMEOUT="5")
    for model in ("endless", "bomb"):
        with pytest.raises(UpstreamBroken, match="MAX_ANSWER_BYTES"):
            body_of(upstream, f"{model}#large")
    assert raw.call_of("endless#large").left.wait(2)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0"])
def test_no_header_breaks_its_line(raw: RawUpstream, break_: str) -> None:
    before = len(raw.calls)
    with pytest.raises(InvalidRequest):
        upstream_at(raw).send("POST", "/v1/messages", {"x-api-key": f"a{break_}x-evil: 1"}, b"{}")
    assert len(raw.calls) == before


def test_overload_is_tried_again_a_bounded_number_of_times_with_jitter(
    raw: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(upstream_module.time, "sleep", pauses.append)
    upstream = upstream_at(raw, RETRY_OVERLOADED="true")
    assert body_of(upstream, "overloaded-in-a-second#all")
    assert len(raw.calls_of("overloaded-in-a-second#all")) == 3
    assert all(1 <= pause <= 1.25 for pause in pauses)
    assert len(set(pauses)) == 2
    body_of(upstream, "overloaded-long#all")
    assert len(raw.calls_of("overloaded-long#all")) == 1


def test_nobody_there() -> None:
    with RawUpstream(SCRIPTS) as gone:
        upstream = upstream_at(gone)
    with pytest.raises(UpstreamUnreachable):
        sent(upstream, "good")


def test_a_proxy_on_the_way(raw: RawUpstream) -> None:
    """For http:// it is asked for the whole URL."""
    base = {"UPSTREAM_BASE": "http://upstream.example/anthropic", "UPSTREAM_PROXY": f"http://127.0.0.1:{raw.port}"}
    assert body_of(Upstream(Settings.from_env(base)), "good#proxied") == message()
    (call,) = raw.calls_of("good#proxied")
    assert call.head.startswith(b"POST http://upstream.example/anthropic/v1/messages HTTP/1.1\r\n")
    assert call.headers["host"] == "upstream.example"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command makes the certificate")
def test_a_tunnel_through_a_proxy(tmp_path: Path) -> None:
    """For https:// it only carries bytes: the key goes no further than the upstream's own TLS."""
    authority = Authority(tmp_path)
    with RawUpstream(SCRIPTS, authority.server_context("localhost")) as secure, Tunnel(secure.port) as tunnel:
        base = {"UPSTREAM_BASE": "https://localhost", "UPSTREAM_PROXY": f"http://127.0.0.1:{tunnel.port}"}
        upstream = Upstream(Settings.from_env(base | {"UPSTREAM_CA_FILE": str(authority.ca_file)}))
        assert body_of(upstream, "good") == message()
        assert body_of(upstream, "good") == message()
        assert tunnel.heads == [b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n"]
        tunnel.status = b"407 Proxy Authentication Required"
        with pytest.raises(UpstreamUnreachable):
            sent(Upstream(Settings.from_env(base)), "good")


class Tunnel:
    """A proxy whose CONNECT leads to one port, whatever it is asked for."""

    def __init__(self, destination: int) -> None:
        self._destination = destination
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self.status = b"200 Connection established"
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> "Tunnel":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,)).start()

    def _carry(self, client: socket.socket) -> None:
        with client:
            head = client.recv(65536)
            client.sendall(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
            if not self.status.startswith(b"200"):
                return
            self.heads.append(head)
            with socket.create_connection(("127.0.0.1", self._destination)) as upstream:
                other = {client: upstream, upstream: client}
                with contextlib.suppress(OSError):
                    while True:
                        for ready in select.select(list(other), [], [])[0]:
                            data = ready.recv(65536)
                            if not data:
                                return
                            other[ready].sendall(data)
