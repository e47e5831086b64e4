"""gunicorn's settings; every value says why.

The master runs this file before the gevent worker patches the standard library. Whatever binds `ssl` before
that (requests, urllib3, so all of app/) fails in the workers with a RecursionError at its first HTTPS call:
import none of it here.
"""

import contextlib
import fcntl
import gc
import json
import logging
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gevent
from dotenv import dotenv_values
from gunicorn import glogging
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import HaltServer
from gunicorn.http import message, parser, wsgi
from gunicorn.util import http_date
from gunicorn.workers.base import Worker
from gunicorn.workers.ggevent import GeventWorker

# Read, not loaded: a value of .env written to the master's environment would outlive a change of the file,
# and the workers that SIGHUP starts would see the old one.
# An empty variable counts as unset, so it hides no value of .env.
ENVIRON: dict[str, str | None] = {key: value for key, value in os.environ.items() if value.strip()}
if os.environ.get("PYTHON_DOTENV_DISABLED", "").lower() not in {"1", "true", "t", "yes", "y"}:
    try:
        ENVIRON = {**dotenv_values(Path(__file__).with_name(".env")), **ENVIRON}
    except (OSError, UnicodeError) as error:
        sys.exit(f".env cannot be read: {error}")


def text(key: str, default: str) -> str:
    return (ENVIRON.get(key) or "").strip() or default


def whole(key: str, default: int, lowest: int, highest: int) -> int:
    raw = text(key, str(default))
    if not raw.isdecimal() or not lowest <= int(raw) <= highest:
        sys.exit(f"{key}={raw!r}: expected a whole number from {lowest} to {highest}")
    return int(raw)


def one_of(key: str, default: str, *words: str) -> str:
    raw = text(key, default).lower()
    if raw not in words:
        sys.exit(f"{key}={raw!r}: expected one of {', '.join(words)}")
    return raw


def unavailable(host: str, port: int) -> str:
    """Why nobody can listen there now; empty when somebody can."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return error.strerror or str(error)
    return ""


# --- the application

# Found from wherever gunicorn is started.
chdir = str(Path(__file__).resolve().parent)
wsgi_app = "wsgi:app"
proc_name = "anthropic-proxy"
# The application would bind `ssl` before gevent patches it, see above.
preload_app = False

# --- where it listens

HOST, PORT = text("HOST", "0.0.0.0"), whole("PORT", 5000, 0, 65_535)
bind = f"[{HOST}]:{PORT}" if ":" in HOST else f"{HOST}:{PORT}"
# Connections that may wait while a worker starts; the kernel caps it at net.core.somaxconn.
backlog = 2048
# One listener for all: with a listener each, a reload drops what waits at the leaving worker.
reuse_port = False

# --- workers

# Streams wait for the upstream, so one worker carries thousands; the second serves while the first is
# replaced or counts tokens. More only when a core is busy: the number of cores says nothing inside a
# container.
workers = whole("WORKERS", 2, 1, 1024)


class DateLine:
    """The `Date` header of this second; gunicorn puts it together for every response."""

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def __str__(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second, self._line = now, f"Date: {http_date(now)}\r\n"
        return self._line


DATE_LINE = DateLine()


class BoundedRequest(message.Request):
    """gunicorn's request, except that a head too large as a whole is refused (431), and trailers likewise."""

    max_buffer_headers = property(lambda self: HEAD_BYTES, lambda self, derived: None)


class OneWriteResponse(wsgi.Response):
    """gunicorn's response, except that the head goes out with the first bytes behind it: one system call less."""

    _held = b""

    def default_headers(self) -> list[str]:
        version = "HTTP/{}.{}".format(*self.req.version)
        connection = "close" if self.should_close() else "keep-alive"
        lines = [f"{version} {self.status}\r\nServer: {self.version}\r\n{DATE_LINE}Connection: {connection}\r\n"]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        return lines

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._held = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        held, self._held = self._held, b""
        self._send(held + data if held else data)

    def close(self) -> None:
        self.send_headers()
        end = self._held + (b"0\r\n\r\n" if self.chunked else b"")
        self._held = b""
        if end:
            self._send(end)

    def _send(self, data: bytes) -> None:
        """gevent's `sendall` alone is four calls deep, and the kernel nearly always takes all at once."""
        sent = self.sock.send(data)
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])


class GracefulWorker(GeventWorker):
    """gunicorn's gevent worker, except that what is still open when the grace is over gets to say so: the application
    turns a killed wait into an error for its client. An idle connection ends quietly."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections: set[gevent.Greenlet] = set()
        self.grace_is_over = False

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
            gevent.spawn_later(GRACEFUL_TIMEOUT, self.end_connections)
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


worker_class = GracefulWorker
# Recycling a worker would cut every stream that outlasts graceful_timeout.
max_requests = 0
# The heartbeat is a file. On a disk that stalls, touching it blocks the worker (gunicorn's FAQ: "How do I
# avoid Gunicorn excessively blocking in os.fchmod?").
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None

WANTED_CONNECTIONS = whole("WORKER_CONNECTIONS", 10_000, 1, 1_000_000)
# The client's socket and the upstream's.
DESCRIPTORS_A_STREAM = 2
# The listener, logs, pipes, files being read, pooled connections to the upstream.
OTHER_DESCRIPTORS = 256


def connections_that_fit(wanted: int) -> int:
    """Raise the soft limit of open files as needed; the number of connections that then fit in a worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * DESCRIPTORS_A_STREAM + OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except ValueError:  # macOS: an unlimited hard limit still ends at kern.maxfilesperproc
            needed = soft
    return max(1, min(wanted, (needed - OTHER_DESCRIPTORS) // DESCRIPTORS_A_STREAM))


# An open stream holds one, an idle connection too, and the kernel shares new ones unevenly: each worker has
# room for all. Past this number connections wait in the backlog, which is better than running out of
# descriptors.
worker_connections = connections_that_fit(WANTED_CONNECTIONS)

# --- time, in seconds

# A heartbeat of the worker's event loop, not a limit for requests. A worker that misses it is killed with
# every stream it holds: far above the longest work on the loop (under 2 s for the largest body), it still
# ends a hang.
timeout = 60
# How long an idle connection stays, and within what time a request's headers must arrive (0 would be: never
# mind). httpx, so both official SDKs, drops an idle connection after 5: the server must not be the first to
# close, or a request can meet a connection that is just being closed.
keepalive = 10
# What open streams get to finish after SIGTERM or SIGHUP.
GRACEFUL_TIMEOUT = whole("GRACEFUL_TIMEOUT", 30, 1, 86_400)
# Then the worker tells what is still open that it ends; the master kills it when that takes longer than this.
ENDING_SECONDS = 5
graceful_timeout = GRACEFUL_TIMEOUT + ENDING_SECONDS
# When whoever supervises this process sends SIGKILL, as it says itself: not before the streams had their
# time.
STOP_TIMEOUT = whole("STOP_TIMEOUT", GRACEFUL_TIMEOUT + 10, 1, 1_000_000)
if GRACEFUL_TIMEOUT >= STOP_TIMEOUT:
    sys.exit(
        f"GRACEFUL_TIMEOUT={GRACEFUL_TIMEOUT}: expected less than the {STOP_TIMEOUT} s until SIGKILL; "
        f"raise those to {GRACEFUL_TIMEOUT + 10} or more (in supervisord.conf: stopwaitsecs and STOP_TIMEOUT)"
    )

# --- metrics

METRICS_HOST, METRICS_PORT = text("METRICS_HOST", "127.0.0.1"), whole("METRICS_PORT", 0, 0, 65_535)
METRICS_FOLDER = "anthropic-proxy-metrics-"
if METRICS_PORT and METRICS_PORT == PORT:
    sys.exit(f"METRICS_PORT={METRICS_PORT}: expected another port than PORT")
# Any port: the one above may be this service's own, when a running one checks its settings before a reload.
if METRICS_PORT and (reason := unavailable(METRICS_HOST, 0)):
    sys.exit(f"METRICS_HOST={METRICS_HOST!r}: expected an address of this machine ({reason})")

ADDRESSES = (f"{HOST} {PORT}", f"{METRICS_HOST} {METRICS_PORT}")


def require_new_addresses_free(held: list[str]) -> None:
    """For the check before a reload: a master that finds a new address taken ends, and every stream with it."""
    for address in ADDRESSES:
        host, port = address.split()
        if port != "0" and address not in held and (reason := unavailable(host, int(port))):
            sys.exit(f"port {port}: a reload cannot listen on {host} ({reason}); restart for it, or choose another")


if "HELD_ADDRESSES" in os.environ:
    require_new_addresses_free(os.environ["HELD_ADDRESSES"].split(","))

# --- what a request may look like

# The largest that gunicorn takes: any query string is accepted.
limit_request_line = 8190
# A client behind a CDN sends about 40.
limit_request_fields = 100
# Room for a long bearer token.
limit_request_field_size = 8190
# All fields together, which gunicorn bounds by the product of the two above only. On each read it copies and searches
# what there is of an unfinished head: 150 connections with 0.8 MB each stopped service for half a minute.
HEAD_BYTES = 65_536
# X_Forwarded_For would become X-Forwarded-For. No client needs such a name, so it is told: 400.
header_map = "refuse"
# No header may set SCRIPT_NAME, PATH_INFO or REMOTE_USER, and no proxy is believed about the scheme or an
# address: the application itself reads X-Forwarded-For, by TRUSTED_PROXIES.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
proxy_protocol = False
# "auto" would change the parser, and with it what is refused, when a package happens to be installed.
http_parser = "python"
# gunicornc's socket lies in the home directory, where two services of one user would share it.
control_socket_disable = True

# --- logs

# stderr; whoever runs the process keeps and rotates it.
errorlog = "-"
# The application writes one line a request; gunicorn's would hold the query string and unescaped paths.
accesslog = None
loglevel = one_of("LOG_LEVEL", "info", "debug", "info", "warning", "error", "critical")
LOG_FORMAT = one_of("LOG_FORMAT", "text", "text", "json")

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What follows in these messages is quoted from the client: a malformed header line, say, and with it
# perhaps a key.
SAFE_START = re.compile(r"Invalid request from ip=\S*: [^:]*|Ignored premature client disconnection")


def without_client_data(record: logging.LogRecord) -> bool:
    """A logging filter that keeps a gunicorn message and drops the client's bytes in it."""
    if isinstance(record.args, tuple) and record.msg.startswith("Error handling request"):
        record.args = tuple(str(part).partition("?")[0] for part in record.args)
    message = record.getMessage()
    if safe := SAFE_START.match(message):
        message = safe[0]
    elif record.exc_info and isinstance(record.exc_info[1], OSError):
        # The only OSError that gets here is the client's socket: it stopped reading, or its network is gone.
        message = f"{message.rstrip('.')}: {type(record.exc_info[1]).__name__}"
        record.exc_info = record.exc_text = None
    if not message.startswith("Current configuration:"):  # gunicorn's own list, one setting a line
        message = CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), message)
    record.msg, record.args = message, ()
    return True


class TextLine(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(glogging.Logger.error_fmt, glogging.Logger.datefmt)

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", "\n    ")  # no line of a traceback can pose as a log line


class JsonLine(logging.Formatter):
    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class ServerLog(glogging.Logger):
    """gunicorn's own messages, in the service's format and without what clients sent."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.filters = [without_client_data]  # assigned: a reload runs this again
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonLine() if LOG_FORMAT == "json" else TextLine())


logger_class = ServerLog


def on_starting(server: Arbiter) -> None:
    if worker_connections < WANTED_CONNECTIONS:
        log = server.log.info if worker_connections >= 1000 else server.log.warning
        log(
            "WORKER_CONNECTIONS=%d needs more open files than the hard limit (ulimit -Hn) allows: a worker takes %d",
            WANTED_CONNECTIONS,
            worker_connections,
        )
    # The workers try it again and again: a service without metrics is better than none. At an upgrade by SIGUSR2 the
    # old master's workers still hold it.
    if METRICS_PORT and not server.master_pid and (reason := unavailable(METRICS_HOST, METRICS_PORT)):
        server.log.error("METRICS_PORT=%d: no metrics until it is free on %s (%s)", METRICS_PORT, METRICS_HOST, reason)
    server.held_addresses = ADDRESSES
    remove_stale_metrics()


def on_reload(server: Arbiter) -> None:
    server.held_addresses = ADDRESSES


def remove_stale_metrics() -> None:
    """Remove the folders of services that were killed: whoever lives holds the lock on its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{METRICS_FOLDER}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def metrics_folder() -> str:
    """A new folder, locked for as long as this process or a worker of it lives."""
    while True:
        folder = tempfile.mkdtemp(prefix=METRICS_FOLDER)
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
        if os.path.exists(folder):  # another service may have taken it for stale before the lock
            return folder


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Make the place where the workers keep their numbers, so that whichever serves them can sum them up.

    Here, because a reload may be what asks for metrics. The Prometheus client itself is not imported: it binds `ssl`.
    """
    if METRICS_PORT and not hasattr(server, "metrics_folder"):
        # Whatever this variable was: an upgrade by SIGUSR2 inherits that of the master it replaces.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.metrics_folder = metrics_folder()
    elif METRICS_PORT and not os.path.exists(server.metrics_folder):
        # Cleaners of temporary files take it away after some days.
        os.mkdir(server.metrics_folder, 0o700)
        fcntl.flock(os.open(server.metrics_folder, os.O_RDONLY), fcntl.LOCK_EX)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Let a signal end a worker that still loads: it has nothing to finish.

    By itself it inherits the master's handlers, misses the signal, and a stop waits for it until SIGKILL.
    """
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def post_worker_init(worker: Worker) -> None:
    wsgi.Response = OneWriteResponse
    parser.RequestParser.mesg_class = BoundedRequest
    # What the application is made of never becomes garbage: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Open requests of a worker that ended are open no more; its counters stay."""
    for gauge in Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "-")).glob(f"gauge_live*_{worker.pid}.db"):
        gauge.unlink(missing_ok=True)


def on_exit(server: Arbiter) -> None:
    if hasattr(server, "metrics_folder"):
        shutil.rmtree(server.metrics_folder, ignore_errors=True)


def when_ready(server: Arbiter) -> None:
    """Have SIGHUP read everything before it replaces anything, and a start that fails say so once.

    By itself gunicorn ends, and every stream with it, when a reload meets a wrong setting or broken code; and with a
    traceback, when a second worker cannot load the application either.
    """
    reload, reap = server.handle_hup, server.reap_workers

    def reload_if_sound() -> None:
        command = [sys.executable, "-m", "gunicorn", *sys.argv[1:], "--check-config"]
        environ = {key: value for key, value in os.environ.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
        environ["HELD_ADDRESSES"] = ",".join(server.held_addresses)
        check = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        if check.returncode:
            server.log.error("Not reloaded, the running workers stay: %s", check.stderr.strip())
        else:
            reload()

    def reap_workers() -> None:
        try:
            reap()
        except HaltServer:
            if server.LISTENERS:  # else it is stopping already
                raise

    server.handle_hup, server.reap_workers = reload_if_sound, reap_workers
