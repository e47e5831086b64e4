"""Which metrics an app gets, and what the Prometheus ones count."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import responses

from app import create_app
from app.current import EXTENSION
from app.metrics.metrics import NoMetrics, metrics
from app.settings import Settings
from app.upstream import Upstream


def test_nothing_is_counted_by_default() -> None:
    assert isinstance(metrics(Settings()), NoMetrics)


def test_the_client_library_is_loaded_only_where_a_port_is_set() -> None:
    code = (
        "import sys\nfrom app import create_app\nfrom app.settings import Settings\n"
        "create_app(Settings(upstream_base='sandbox:'))\nassert 'prometheus_client' not in sys.modules\n"
        "create_app(Settings(upstream_base='sandbox:', metrics_port=1))\nassert 'prometheus_client' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_worker_that_can_keep_no_metrics_serves_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its first numbers are placed when it starts."""
    code = (
        "from app import create_app\nfrom app.settings import Settings\n"
        "app = create_app(Settings(upstream_base='sandbox:', metrics_port=1))\n"
        "assert app.test_client().get('/health').status_code == 200\n"
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert "METRICS_PORT=1: this worker keeps no metrics (No such file or directory)" in capfd.readouterr().err


@responses.activate
def test_a_retry_and_a_lesson_are_counted() -> None:
    told = []

    class Counted(NoMetrics):
        def retried(self) -> None:
            told.append("retried")

        def learned(self, name: str) -> None:
            told.append(name)

    app = create_app(Settings(upstream_base="https://upstream.test", retry_overloaded=True, thinking_store="off"))
    held = app.extensions[EXTENSION]
    counted = Counted()
    upstream = Upstream(held.settings, counted.retried)
    app.extensions[EXTENSION] = replace(held, metrics=counted, upstream=upstream)
    url = "https://upstream.test/v1/messages"
    message = "temperature: Extra inputs are not permitted"
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    responses.post(url, json={}, status=529, headers={"retry-after": "0"})
    responses.post(url, json=refusal, status=400)
    responses.post(url, json={"type": "message", "content": [], "stop_reason": "end_turn"})
    request = {"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]}
    assert app.test_client().post("/v1/chat/completions", json=request).status_code == 200
    assert told == ["retried", "temperature"]
