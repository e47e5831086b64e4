"""Numbers for Prometheus. Off unless METRICS_PORT is set."""

from __future__ import annotations

from app.request_log import RequestRecord


class Metrics:
    """Counts nothing; what is used when nobody asked for metrics."""

    def opened(self, route: str) -> None:
        """A request arrived."""

    def closed(self, record: RequestRecord) -> None:
        """It was answered, or its client left."""

    def learned(self, name: str) -> None:
        """An upstream taught us what it refuses."""
