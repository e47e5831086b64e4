"""Thousands of good and faulty requests, and whether the workers' memory, descriptors and greenlets stay flat.

By hand, from the project's folder: `python -m tests.faults.soak 20000`
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from .answers import MEGABYTE
from .gunicorn_server import GunicornServer
from .raw_client import KINDS, Client, raw, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS, redirect

CLIENTS = 16
WORKERS = 2
COUNTS = b"GET /counts HTTP/1.1\r\nHost: localhost\r\n\r\n"
GOOD = ["good", "gzipped", "until-close", "late-last-chunk", "leftover", "cookie", "early-hints-at-once"]
FAULTY = {
    "reset-before-head": 502,
    "close-before-head": 502,
    "reset-mid-head": 502,
    "garbage": 502,
    "two-lengths": 502,
    "brotli": 502,
    "no-gzip": 502,
    "redirect-302": 502,
    "close-mid-body": 502,
    "reset-mid-body": 502,
    "silence-mid-body": 504,
    "half-an-event": 502,
    "length-too-short": 502,
    "refused-400": 400,
    "refused-429": 429,
}
HOSTILE = [b"", b"{", b"[]", b'{"model": NaN}', b"[" * 5000, b"\xff\xfe"]


@dataclass(frozen=True)
class Figures:
    """What a worker holds."""

    megabytes: float
    descriptors: int
    greenlets: int
    connections: int


def server_for(upstream: RawUpstream) -> GunicornServer:
    return GunicornServer(
        "tests.faults.counted_wsgi:app",
        WORKERS=WORKERS,
        UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}",
        UPSTREAM_READ_TIMEOUT=1,
        CLIENT_BODY_TIMEOUT=2,
    )


def scripted_upstream() -> RawUpstream:
    return RawUpstream(SCRIPTS | {"redirect-302": redirect(302, "http://127.0.0.1:9")})


def figures(server: GunicornServer) -> dict[int, Figures]:
    """By worker: the kernel chooses who answers, so it is asked until all have."""
    found: dict[int, Figures] = {}
    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            for counts in pool.map(lambda _: raw(server.port, COUNTS).json, range(4)):
                pid = counts.pop("pid")
                worker = psutil.Process(pid)
                found[pid] = Figures(worker.memory_info().rss / MEGABYTE, worker.num_fds(), **counts)
            if len(found) == WORKERS:
                break
    assert found.keys() == {worker.pid for worker in server.workers()}
    return found


def run(server: GunicornServer, requests: int, seed: int = 1) -> Counter[str]:
    """Send `requests`; the number of answers by kind. Raises AssertionError for an answer that is wrong."""
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for outcome in pool.map(lambda number: _asked(server, CLIENTS * seed, number), range(requests)):
            outcomes[outcome] += 1
    return outcomes


def _asked(server: GunicornServer, seed: int, number: int) -> str:
    chance = random.Random(seed * 1_000_003 + number)
    path, stream = chance.choice(KINDS)
    with Client(server.port) as client:
        match chance.choices(["good", "faulty", "hostile", "leaves"], [60, 25, 8, 7])[0]:
            case "good":
                reply = client.ask(path, f"{chance.choice(GOOD)}#{number}", stream)
                assert reply.status == 200, reply
                assert reply.whole
                assert b"Hello from upstream" in reply.body
                assert not stream or b"[DONE]" in reply.body or b"message_stop" in reply.body
                return "good"
            case "faulty":
                script = chance.choice(list(FAULTY))
                reply = client.ask(path, f"{script}#{number}", stream)
                assert reply.status == FAULTY[script] or (stream and reply.status == 200), (script, reply)
                assert b'"error"' in reply.body, (script, reply)
                assert b"[DONE]" not in reply.body
                return "faulty"
            case "hostile":
                client.send(request_bytes(path, chance.choice(HOSTILE)))
                assert client.reply().status == 400
                return "hostile"
    with Client(server.port) as client:
        script = chance.choice(["silence", "silence-mid-body", "talkative"] if stream else ["silence"])
        client.send(request_bytes(path, request_body(path, f"{script}#{number}", stream)))
        time.sleep(chance.uniform(0, 0.1))
    return "left"


def batches(requests: int, size: int) -> Iterator[int]:
    while requests > 0:
        yield min(size, requests)
        requests -= size


def main(requests: int) -> None:
    with scripted_upstream() as upstream, server_for(upstream) as server:
        run(server, 500, seed=0)
        time.sleep(3)
        print("after 500 to warm up:", figures(server), flush=True)
        total: Counter[str] = Counter()
        began = time.monotonic()
        for seed, size in enumerate(batches(requests, 2000), 1):
            total += run(server, size, seed)
            time.sleep(3)
            upstream.calls.clear()
            print(f"{total.total():6} requests, {time.monotonic() - began:4.0f} s: {figures(server)}", flush=True)
        time.sleep(8)
        print("at rest:", figures(server), dict(total), "open at the upstream:", upstream.open_connections)
        assert "Traceback" not in server.log(), server.log()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
