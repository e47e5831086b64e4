"""What is counted of each request, and by whom: nobody, unless METRICS_PORT asks for it."""

from __future__ import annotations

import logging
from pkgutil import resolve_name
from typing import Protocol

from app.request_log import RequestRecord
from app.settings import Settings

_logger = logging.getLogger("anthropic_proxy.metrics")


class Metrics(Protocol):
    """Told of every request twice, and of what an upstream taught us or was asked again."""

    def opened(self, record: RequestRecord) -> None: ...

    def closed(self, record: RequestRecord) -> None: ...

    def learned(self, name: str) -> None: ...

    def retried(self) -> None: ...


class NoMetrics:
    """Counts nothing."""

    def opened(self, record: RequestRecord) -> None:
        pass

    def closed(self, record: RequestRecord) -> None:
        pass

    def learned(self, name: str) -> None:
        pass

    def retried(self) -> None:
        pass


def metrics(settings: Settings) -> Metrics:
    """The metrics that METRICS_PORT asks for; the Prometheus client is loaded only then, it takes 6 MB a worker."""
    if not settings.metrics_port:
        return NoMetrics()
    try:
        served: Metrics = resolve_name("app.metrics.prometheus:PrometheusMetrics")(settings)
    except OSError as error:
        _logger.error("METRICS_PORT=%d: this worker keeps no metrics (%s)", settings.metrics_port, error.strerror)
        return NoMetrics()
    return served
