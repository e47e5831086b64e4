"""The process that serves: gunicorn's gevent worker, with an end that its open streams learn of."""

from __future__ import annotations

import signal
from typing import Any

import gevent
from gunicorn import http
from gunicorn.workers.ggevent import GeventWorker

from app.server.request import RequestParser

ENDING_SECONDS = 5
"""Of gunicorn's graceful_timeout, what is kept for telling what is still open that it ends; then the master kills."""


class GracefulWorker(GeventWorker):
    """gunicorn's gevent worker, except that what is still open when the grace is over gets to say so: the application
    turns a killed wait into an error for its client. An idle connection ends quietly."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections: set[Any] = set()
        self.grace_is_over = False

    def init_process(self) -> None:
        http.RequestParser = RequestParser
        super().init_process()

    def end_by_signals_while_loading(self) -> None:
        """It has nothing to finish then.

        By itself it inherits the master's handlers, misses the signal, and a stop waits for it until SIGKILL.
        """
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        greenlet = gevent.getcurrent()
        self.connections.add(greenlet)
        try:
            super().handle(listener, client, addr)
        finally:
            self.connections.discard(greenlet)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM; a reload sends it again and again until the worker has ended."""
        if self.alive:
            gevent.spawn_later(max(0, self.cfg.graceful_timeout - ENDING_SECONDS), self.end_connections)
        super().handle_exit(sig, frame)

    def end_connections(self) -> None:
        self.log.info("The grace is over: ending %d open connections", len(self.connections))
        self.grace_is_over = True
        gevent.killall(list(self.connections), block=False)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        super().handle_request(listener_name, req, sock, addr)
        if self.grace_is_over:
            raise StopIteration

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """By itself it logs a traceback and sends a 500 that nobody asked for, which the next request would read."""
        if not isinstance(exc, gevent.GreenletExit):
            super().handle_error(req, client, addr, exc)
