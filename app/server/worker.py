"""The process that serves: gunicorn's gevent worker, with an end that its open streams learn of."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterable
from typing import Any

import gevent
from gunicorn import http
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

from app.server.environ import has_fast_path, plain_environ
from app.server.refusal import Refusal, is_refusal, linger
from app.server.request import RequestParser
from app.server.response import OneWriteResponse

ENDING_SECONDS = 5
"""The part of gunicorn's graceful_timeout in which open connections are told that they end, before the master kills."""


class GracefulWorker(GeventWorker):
    """gunicorn's gevent worker, except that what is still open when the grace is over gets to say so: the application
    turns a killed wait into an error for its client. An idle connection ends quietly. A plain request takes a
    fast path."""

    alive: bool

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections: set[Any] = set()
        self.grace_is_over = self.quits = False
        self.keeps_alive = self.cfg.keepalive > 0

    def init_process(self) -> None:
        http.RequestParser = RequestParser
        # Nobody asks a greenlet where it was spawned.
        gevent.config.track_greenlet_tree = False
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

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT or SIGQUIT, once: Ctrl-C reaches a worker from the terminal and from the master, and the second would
        meet an interpreter that is ending already, which prints a traceback."""
        if not self.quits:
            self.quits = True
            super().handle_quit(sig, frame)

    def end_connections(self) -> None:
        self.log.info("The grace is over: ending %d open connections", len(self.connections))
        self.grace_is_over = True
        gevent.killall(list(self.connections), block=False)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        try:
            if self.log.access_log_enabled:  # by `--access-logfile`; gunicorn.conf.py does not
                super().handle_request(listener_name, req, sock, addr)
            else:
                self.serve(listener_name, req, sock, addr)
        finally:
            if req.body.failed and not self.grace_is_over:
                linger(sock)
        if self.grace_is_over:
            raise StopIteration

    def serve(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request; StopIteration ends its connection.

        gunicorn's own way also calls two hooks and writes an access log, for both of which it asks the clock and the
        configuration, whether or not there are any.
        """
        response = OneWriteResponse(req, sock, self.cfg)
        try:
            if has_fast_path(req, addr, listener_name):
                environ = plain_environ(req, sock, addr, listener_name)
                req.fields = {}
            else:
                response, environ = wsgi.create(req, sock, addr, listener_name, self.cfg, OneWriteResponse)
            self.count_request()
            if not self.alive or not self.keeps_alive:
                response.force_close()
            pieces = self.wsgi(environ, response.start_response)
            # A stream lives long and needs it no more, nor the fields it was made of.
            del environ
            self.send(pieces, response)
        except gevent.GreenletExit:
            raise StopIteration from None
        except (StopIteration, OSError):
            raise
        except (Exception, SystemExit) as error:  # the latter in a worker that missed its heartbeat
            if response.headers_sent:
                self.cut(sock)
            elif isinstance(error, Exception):
                raise
            raise StopIteration from None
        if response.should_close():
            raise StopIteration

    def count_request(self) -> None:
        """gunicorn.conf.py sets no max_requests, but `--max-requests` may."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def send(self, pieces: Iterable[bytes], response: OneWriteResponse) -> None:
        """What the application answers, piece by piece."""
        try:
            for piece in pieces:
                response.write(piece)
                # While the next is awaited, nobody holds the last.
                del piece
            response.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def cut(self, sock: Any) -> None:
        """End an answer that failed: a 500 behind what is sent already would be taken for a part of it."""
        self.log.exception("Error handling request")
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """By itself it answers a head that it refuses with a page. For a greenlet that is killed it logs a traceback
        and sends a 500 that nobody asked for, which the next request would read."""
        if is_refusal(exc):
            self.refuse(Refusal(exc, self.cfg), client, addr)
        elif not isinstance(exc, gevent.GreenletExit):
            super().handle_error(req, client, addr, exc)

    def refuse(self, refusal: Refusal, client: Any, addr: Any) -> None:
        host, told = addr[0] if addr else "", f"{refusal.status}, id={refusal.request_id}"
        self.log.warning("Invalid request from ip=%s: %s (%s)", host, refusal.reason, told)
        with contextlib.suppress(OSError):
            client.sendall(refusal.answer())
        linger(client)
