"""Metrics for Prometheus, on a port of their own, summed over all workers.

Each worker keeps its numbers in files below PROMETHEUS_MULTIPROC_DIR, which gunicorn.conf.py makes. Whichever worker
binds the port first serves the sum; when it ends, another takes the port.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app, values
from prometheus_client.multiprocess import MultiProcessCollector

from app.greenlets import under_gevent
from app.metrics.mapped_value import MappedValue
from app.request_log import RequestRecord
from app.routing import listed_models
from app.settings import Settings

BIND_AGAIN_SECONDS = 2.0
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_logger = logging.getLogger("anthropic_proxy.metrics")
if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    values.ValueClass = MappedValue
_requests = Counter("anthropic_proxy_requests_total", "Requests answered", ("route", "status"))
_errors = Counter("anthropic_proxy_errors_total", "Requests that ended early, and on whose side", ("kind", "ended_by"))
_open = Gauge("anthropic_proxy_open_requests", "Requests being served", multiprocess_mode="livesum")
_duration = Histogram("anthropic_proxy_request_seconds", "Until the last byte", ("route",), buckets=_SECONDS)
_first_byte = Histogram(
    "anthropic_proxy_first_byte_seconds", "Until the first byte of the answer", ("route",), buckets=_SECONDS
)
_upstream = Histogram(
    "anthropic_proxy_upstream_seconds", "Until the upstream's answer began", ("route",), buckets=_SECONDS
)
_tokens = Counter("anthropic_proxy_tokens_total", "Tokens the upstream counted", ("model", "direction"))
_retries = Counter("anthropic_proxy_retries_total", "Requests sent to the upstream once more")
_lessons = Counter("anthropic_proxy_lessons_total", "Features learned to be refused", ("feature",))


@cache
def _labelled(metric: Any, *labels: str) -> Any:
    """`metric.labels()` of these; it takes a lock and checks each time. Every label is one of a few by now."""
    return metric.labels(*labels)


class PrometheusMetrics:
    """Counts in this worker, and serves the sum of all if the port is free."""

    def __init__(self, settings: Settings) -> None:
        self._address = (settings.metrics_host, settings.metrics_port)
        # Clients make up model names, and each would be a series of its own for ever.
        self._models = {*listed_models(settings), *settings.model_map_json.values()}
        self._models |= {settings.autotext_model, settings.autovision_model}
        self._failing = False
        if under_gevent():
            gevent.spawn(self._serve)

    def opened(self, record: RequestRecord) -> None:
        _open.inc()

    def closed(self, record: RequestRecord) -> None:
        _open.dec()
        try:
            self._count(record)
        except OSError as error:
            self._failed(error)

    def _count(self, record: RequestRecord) -> None:
        _labelled(_requests, record.route, str(record.status)).inc()
        _labelled(_duration, record.route).observe(record.ms / 1000)
        if record.first_byte_ms is not None:
            _labelled(_first_byte, record.route).observe(record.first_byte_ms / 1000)
        if record.upstream_ms is not None:
            _labelled(_upstream, record.route).observe(record.upstream_ms / 1000)
        if record.error:
            _labelled(_errors, record.error, record.ended_by).inc()
        if record.input_tokens or record.output_tokens:
            model = record.upstream_model if record.upstream_model in self._models else "other"
            _labelled(_tokens, model, "input").inc(record.input_tokens)
            _labelled(_tokens, model, "output").inc(record.output_tokens)

    def _failed(self, error: OSError) -> None:
        """The files of a kind are made at its first use; the disk may be full then, and cleaners of temporary files
        take their directory away."""
        if not self._failing:
            _logger.warning("metrics cannot be kept, requests go on without them: %s", error.strerror)
        self._failing = True

    def learned(self, name: str) -> None:
        try:
            _lessons.labels(name).inc()
        except OSError as error:
            self._failed(error)

    def retried(self) -> None:
        _retries.inc()

    def _serve(self) -> None:
        """Serve for as long as this worker lives, from the moment that no other does."""
        while True:
            try:
                WSGIServer(self._address, make_wsgi_app(_registry()), log=None).serve_forever()
            except (OSError, ValueError):  # the port is taken, or the directory was
                gevent.sleep(BIND_AGAIN_SECONDS)


def _registry() -> CollectorRegistry:
    """All workers' numbers if gunicorn made a place for them, else those of this process."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
