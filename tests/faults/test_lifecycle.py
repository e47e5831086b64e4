"""Stopping, reloading, and workers that die."""

import contextlib
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from .answers import TEXT
from .awaiting import wait_until
from .conftest import start
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KINDS, MESSAGES, Client, Reply, ask, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_hostile_http import post
from .test_upstream_faults import checked_error, error_of, events_of, text_of, unique


def opened(server: GunicornServer, path: str, script: str) -> Client:
    client = Client(server.port)
    client.send(request_bytes(path, request_body(path, unique(script), True)))
    client.until(b"word ")
    return client


def environ(upstream: RawUpstream, **others: object) -> dict[str, object]:
    return {"UPSTREAM_BASE": f"http://127.0.0.1:{upstream.port}", "WORKERS": 2, "GRACEFUL_TIMEOUT": 5} | others


def refused(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return False
    except ConnectionRefusedError:
        return True


def test_sigterm_lets_streams_finish_and_refuses_new_connections(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream)):
        family = [server.process_info, *server.workers()]
        clients = [opened(server, path, "slow") for path in (CHAT, MESSAGES) for _ in range(4)]
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda port=server.port: refused(port), 1.5)  # type: ignore[misc]
        for client in clients:
            rest = client.until(b"0\r\n\r\n")
            assert b"[DONE]" in rest or b"message_stop" in rest
            client.sock.close()
        assert server.process.wait(5) == 0
        assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_what_outlasts_the_grace_is_told_so(upstream: RawUpstream) -> None:
    """A stream ends with its API's error and never as if it were complete; who has no byte yet gets a 503."""
    for server in start(**environ(upstream, GRACEFUL_TIMEOUT=1)):
        family = [server.process_info, *server.workers()]
        asked = [(path, stream, script) for path, stream in KINDS for script in ("silence", "silence-mid-body")]
        asked += [(path, True, "talkative") for path in (CHAT, MESSAGES)]
        clients = [(Client(server.port), unique(script)) for _, _, script in asked]
        for (path, stream, _), (client, model) in zip(asked, clients, strict=True):
            client.send(request_bytes(path, request_body(path, model, stream)))
        calls = [upstream.call_of(model) for _, model in clients]
        time.sleep(0.2)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for (path, stream, script), (client, _) in zip(asked, clients, strict=True):
            reply = client.reply()
            assert 0.9 < time.monotonic() - began < 3
            if stream and script != "silence":
                *before, last = events_of(reply)
                error = checked_error(last, path)
                assert {} not in before, "no [DONE]"
            else:
                assert reply.status == 503
                error = error_of(reply, path)
            assert "again" in error["message"]
            assert client.closed(1)
            client.sock.close()
        assert all(call.left.wait(1) for call in calls)
        assert server.process.wait(5) == 0
        assert time.monotonic() - began < 4.5
        assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        assert server.log().count("ended_by=proxy error=ShuttingDown") == len(asked)


def test_who_still_sends_its_request_when_the_grace_is_over_is_told_so(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream, GRACEFUL_TIMEOUT=1)):
        heads = [post("Content-Length: 99", body=b"{", path=path) for path in (CHAT, MESSAGES)]
        heads += [post("Transfer-Encoding: chunked", body=b"5\r\n{", path=path) for path in (CHAT, MESSAGES)]
        clients = [Client(server.port) for _ in heads]
        for client, head in zip(clients, heads, strict=True):
            client.send(head)
        time.sleep(0.2)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for client, path in zip(clients, (CHAT, MESSAGES) * 2, strict=True):
            reply = client.reply()
            assert reply.status == 503
            assert "again" in error_of(reply, path)["message"]
            assert client.closed(1)
            client.sock.close()
        assert server.process.wait(5) == 0
        assert time.monotonic() - began < 4.5
        assert server.log().count("error=ShuttingDown") == len(heads)


def test_ctrl_c_prints_no_traceback(upstream: RawUpstream) -> None:
    """A terminal sends it to every process of the group, and the master passes it on to its workers."""
    for server in start(**environ(upstream)):
        workers = server.workers()
        for process in (*workers, server.process_info):
            process.send_signal(signal.SIGINT)
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 0
        assert "Traceback" not in server.log()


def test_a_stop_does_not_wait_for_a_worker_that_still_loads(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream, WORKERS=1)):
        booted = server.log().count("Booting worker")
        server.worker.kill()
        wait_until(lambda: server.log().count("Booting worker") > booted)  # noqa: B023
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(3)


class Asking:
    """Asks over and over, with a new connection each time or on one, until told to stop."""

    def __init__(self, server: GunicornServer, keep: bool) -> None:
        self._server = server
        self._keep = keep
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> int:
        """How often it was answered; an answer that fails, fails this."""
        answered = 0
        client = Client(self._server.port)
        while not self._stop.is_set():
            path = (CHAT, MESSAGES)[answered % 2]
            stream = answered % 3 == 0
            reply: Reply = client.ask(path, unique("good"), stream)
            assert text_of(reply, path, stream) == TEXT
            answered += 1
            if not self._keep or reply.headers["connection"] == "close":
                client.sock.close()
                client = Client(self._server.port)
        client.sock.close()
        return answered


def test_sighup_loses_no_request_and_cuts_no_stream(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream)):
        before = {worker.pid for worker in server.workers()}
        streams = [opened(server, path, "slow") for path in (CHAT, MESSAGES)]
        asking = [Asking(server, keep) for keep in (False, True)]
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(one.run) for one in asking]
            try:
                server.process.send_signal(signal.SIGHUP)
                for client in streams:
                    rest = client.until(b"0\r\n\r\n")
                    assert b"[DONE]" in rest or b"message_stop" in rest
                    client.sock.close()
                server.wait_for(lambda: before.isdisjoint(worker.pid for worker in server.workers()))  # noqa: B023
                time.sleep(0.5)
            finally:
                for one in asking:
                    one.stop()
            assert all(answer.result() > 20 for answer in answers)


def test_recycling_a_worker_cuts_no_stream(upstream: RawUpstream) -> None:
    """Not by default; an operator can ask gunicorn for it."""
    recycled = environ(upstream, WORKERS=1, GUNICORN_CMD_ARGS="--max-requests 3")
    for server in start(**recycled):
        before = server.worker.pid
        streams = [opened(server, path, "slow") for path in (CHAT, MESSAGES)]
        assert ask(server.port, CHAT, unique("good"), False).headers["connection"] == "close", "the third request"
        for client in streams:
            rest = client.until(b"0\r\n\r\n")
            assert b"[DONE]" in rest or b"message_stop" in rest
            client.sock.close()
        server.wait_for(lambda: [worker.pid for worker in server.workers()] not in ([], [before]))  # noqa: B023
        assert text_of(ask(server.port, CHAT, unique("good"), False), CHAT, False) == TEXT


def test_an_idle_connection_ends_quietly_with_its_worker(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream, WORKERS=1, GRACEFUL_TIMEOUT=1)):
        with Client(server.port) as client:
            assert client.ask(CHAT, unique("good"), False).status == 200
            server.process.send_signal(signal.SIGTERM)
            assert client.sock.recv(65536) == b"", "and not a 500, which the next request would take for its answer"
        server.process.wait(10)


def test_a_killed_worker_is_replaced_and_disturbs_no_stream_of_another(upstream: RawUpstream) -> None:
    for server in start(**environ(upstream)):
        streams = [opened(server, CHAT, "slow") for _ in range(12)]
        owner = {client: worker_of(server, client) for client in streams}
        victim = owner[streams[0]]
        psutil.Process(victim).kill()
        for client in streams:
            rest = b""
            try:
                while piece := client.sock.recv(65536):
                    rest += piece
                    if rest.endswith(b"0\r\n\r\n"):
                        break
            except ConnectionError:
                pass
            assert (b"[DONE]" in rest) == (owner[client] != victim)
            client.sock.close()
        server.wait_for(lambda: len({w.pid for w in server.workers()} - {victim}) == 2)  # noqa: B023
        for _ in range(5):
            assert text_of(ask(server.port, CHAT, unique("good"), False), CHAT, False) == TEXT


def worker_of(server: GunicornServer, client: Client) -> int:
    port = client.sock.getsockname()[1]
    for worker in server.workers():
        if any(connection.raddr and connection.raddr.port == port for connection in worker.net_connections()):
            return worker.pid
    raise AssertionError("no worker has it")


def test_readiness_asks_the_upstream_without_a_key_and_rarely(server: GunicornServer, upstream: RawUpstream) -> None:
    for _ in range(3):
        assert raw(server.port, b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    (call,) = [call for call in upstream.calls if call.head.startswith(b"GET /v1/models ")]
    assert not {"authorization", "x-api-key"} & set(call.headers)


def test_health_is_all_that_runs_without_an_upstream() -> None:
    for server in start(UPSTREAM_BASE="http://127.0.0.1:9"):
        assert raw(server.port, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        assert raw(server.port, b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n").status == 503
