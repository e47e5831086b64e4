"""Metrics over several workers, read as Prometheus reads them."""

import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.gunicorn_server import GunicornServer

ROUTE = "/v1/chat/completions"
WORKERS = 2


class Measured:
    """A client of a running proxy of two workers, and its metrics by (name, labels); to be used in a `with`."""

    def __init__(self, server: GunicornServer, metrics_port: int, host: str = "127.0.0.1") -> None:
        self.server = server
        self.metrics_port = metrics_port
        self.booted = 0
        self._metrics_url = f"http://{host}:{metrics_port}/metrics"
        self.client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="k", max_retries=0)

    def __enter__(self) -> "Measured":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def value(self, name: str, **labels: str) -> float:
        """The sample's value, once some worker serves the port; 0 if there is none yet."""
        samples = [sample for family in self._families() for sample in family.samples]
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def reaches(self, expected: float, name: str, **labels: str) -> bool:
        """Soon: a request is counted when its last byte is sent, and by then its client may have read it."""
        deadline = time.monotonic() + 2
        while (value := self.value(name, **labels)) < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        return value == expected

    def wait_for_replacements(self, killed: int) -> None:
        """Until as many workers were started anew."""
        self.server.wait_for(lambda: self.server.log().count("Booting worker") >= self.booted + killed)

    def _families(self) -> list:
        deadline = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(self._metrics_url, timeout=5) as answer:
                    return list(text_string_to_metric_families(answer.read().decode()))
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def ask(self, text: str) -> None:
        """On a connection of its own, so that either worker may get it."""
        self.client.chat.completions.create(
            model="made-up",
            messages=[{"role": "user", "content": text}],
            extra_headers={"Connection": "close"},
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    port = free_port()
    environ = {"WORKERS": WORKERS, "METRICS_PORT": port, "GRACEFUL_TIMEOUT": 2}
    with GunicornServer(UPSTREAM_BASE="sandbox:", **environ) as server, Measured(server, port) as measured:
        yield measured


def test_requests_of_all_workers_are_summed_up(measured: Measured) -> None:
    for _ in range(8):
        measured.ask("Hello")
    with pytest.raises(openai.RateLimitError):
        measured.ask("sandbox:error 429")
    assert measured.value("anthropic_proxy_requests_total", route=ROUTE, status="200") == 8
    assert measured.value("anthropic_proxy_requests_total", route=ROUTE, status="429") == 1
    assert measured.value("anthropic_proxy_errors_total", kind="UpstreamRefusal", ended_by="upstream") == 1
    assert measured.value("anthropic_proxy_request_seconds_count", route=ROUTE) == 9
    assert measured.value("anthropic_proxy_upstream_seconds_count", route=ROUTE) >= 8
    # Model names come from clients, so they are no labels.
    assert measured.value("anthropic_proxy_tokens_total", model="other", direction="output") > 0


def test_an_open_stream_is_counted_until_its_client_leaves(measured: Measured) -> None:
    message = {"role": "user", "content": "sandbox:slow 0.5 Hello"}
    stream = measured.client.chat.completions.create(model="m", messages=[message], stream=True)
    next(iter(stream))
    assert measured.value("anthropic_proxy_open_requests") == 1
    stream.close()
    deadline = time.monotonic() + 5
    while measured.value("anthropic_proxy_open_requests") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert measured.value("anthropic_proxy_open_requests") == 0


def test_streams_of_a_killed_worker_are_open_no_more(measured: Measured) -> None:
    message = {"role": "user", "content": "sandbox:slow 0.5 Hello"}
    with measured.client.chat.completions.create(model="m", messages=[message], stream=True) as stream:
        next(iter(stream))
        booted = measured.server.log().count("Booting worker")
        for worker in measured.server.workers():
            worker.kill()
        measured.server.wait_for(lambda: measured.server.log().count("Booting worker") == booted + WORKERS)
    assert measured.value("anthropic_proxy_open_requests") == 0


def test_another_worker_serves_them_when_one_is_killed(measured: Measured) -> None:
    before = measured.value("anthropic_proxy_requests_total", route=ROUTE, status="200")
    measured.booted = measured.server.log().count("Booting worker")
    for killed, worker in enumerate(measured.server.workers(), start=1):
        worker.kill()
        measured.wait_for_replacements(killed)
        assert measured.value("anthropic_proxy_requests_total", route=ROUTE, status="200") == before


def test_a_reload_loses_no_request_and_counts_none_twice(measured: Measured) -> None:
    asked = measured.value("anthropic_proxy_requests_total", route=ROUTE, status="200")
    old = measured.server.workers()
    measured.server.process.send_signal(signal.SIGHUP)
    while any(worker.is_running() for worker in old):
        measured.ask("Hello")
        asked += 1
        assert measured.reaches(asked, "anthropic_proxy_requests_total", route=ROUTE, status="200")
    measured.ask("Hello")
    assert measured.reaches(asked + 1, "anthropic_proxy_requests_total", route=ROUTE, status="200")
    assert measured.value("anthropic_proxy_request_seconds_bucket", route=ROUTE, le="+Inf") >= asked + 1


def test_they_are_served_on_their_own_address_only(measured: Measured) -> None:
    """METRICS_HOST is 127.0.0.1 by default; on Linux every 127.x.x.x is this machine."""
    port = measured.metrics_port
    assert measured.value("anthropic_proxy_open_requests") == 0
    for url in (f"http://127.0.0.1:{measured.server.port}/metrics", f"http://127.0.0.2:{port}/metrics"):
        with pytest.raises(urllib.error.URLError) as raised:
            urllib.request.urlopen(url, timeout=5)
        if isinstance(raised.value, urllib.error.HTTPError):
            assert raised.value.code == 404
            raised.value.close()
    with (
        GunicornServer(UPSTREAM_BASE="sandbox:", METRICS_PORT=port, METRICS_HOST="127.0.0.2") as other,
        Measured(other, port, "127.0.0.2") as elsewhere,
    ):
        assert elsewhere.value("anthropic_proxy_open_requests") == 0


def test_their_files_go_with_the_service(tmp_path: Path) -> None:
    environ = {"TMPDIR": tmp_path, "METRICS_PORT": free_port(), "GRACEFUL_TIMEOUT": 2}
    with GunicornServer(UPSTREAM_BASE="sandbox:", **environ) as server:
        server.wait_for(lambda: any(tmp_path.glob("anthropic-proxy-metrics-*/*.db")))
    assert not list(tmp_path.glob("anthropic-proxy-metrics-*"))


def test_a_cleaner_of_temporary_files_disturbs_no_request(tmp_path: Path) -> None:
    """systemd-tmpfiles, for one, removes from /tmp what is ten days old; a service lives longer."""
    environ = {"TMPDIR": tmp_path, "METRICS_PORT": free_port(), "GRACEFUL_TIMEOUT": 2}
    with (
        GunicornServer(UPSTREAM_BASE="sandbox:", **environ) as server,
        Measured(server, environ["METRICS_PORT"]) as measured,
    ):
        server.wait_for(lambda: any(tmp_path.glob("anthropic-proxy-metrics-*/*.db")))
        for directory in tmp_path.glob("anthropic-proxy-metrics-*"):
            shutil.rmtree(directory)
        measured.ask("Hello")
        server.worker.kill()
        measured.wait_for_replacements(2)
        measured.ask("Hello")
        assert measured.value("anthropic_proxy_requests_total", route=ROUTE, status="200") == 1
        assert "Traceback" not in server.log()
        assert "Error handling" not in server.log()
    assert not list(tmp_path.glob("anthropic-proxy-metrics-*"))


@pytest.mark.parametrize("port", [0, None])
def test_a_directory_of_the_operators_own_is_left_alone(tmp_path: Path, port: int | None) -> None:
    own = tmp_path / "of another service"
    own.mkdir()
    (own / "counter_1.db").touch()
    environ = {"PROMETHEUS_MULTIPROC_DIR": own, "METRICS_PORT": free_port() if port is None else port}
    with GunicornServer(UPSTREAM_BASE="sandbox:", GRACEFUL_TIMEOUT=2, **environ):
        pass
    assert (own / "counter_1.db").exists()
