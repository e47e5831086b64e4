"""gunicorn's settings; every value says why. What is more than a value is in app/server/, which says what may not be
imported here."""

import gc
import os
import sys
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

# gunicorn adds `chdir` below by itself, but only when it has read this file.
if str(Path(__file__).resolve().parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from app.dotenv_file import environment
from app.metrics import folder as metrics_folder
from app.server import addresses, reloading
from app.server.log import JsonLog, TextLog
from app.server.open_files import connections_that_fit
from app.server.worker import ENDING_SECONDS, GracefulWorker
from app.settings import Settings, SettingsError

# The others are the application's: it reads them from its own folder, and a path may be relative to that.
KEYS = ("HOST", "PORT", "WORKERS", "WORKER_CONNECTIONS", "GRACEFUL_TIMEOUT", "STOP_TIMEOUT")
KEYS += ("LOG_LEVEL", "LOG_FORMAT", "METRICS_HOST", "METRICS_PORT")
try:
    ENVIRON = environment(Path(__file__).with_name(".env"))[0]
    SETTINGS = Settings.from_env({key: ENVIRON[key] for key in KEYS if key in ENVIRON})
    addresses.require_metrics_address(SETTINGS)
    if reloading.HELD_ADDRESSES in os.environ:
        addresses.require_new_addresses_free(SETTINGS, os.environ[reloading.HELD_ADDRESSES].split(","))
except SettingsError as error:
    sys.exit(str(error))

# --- the application

# Found from wherever gunicorn is started.
chdir = str(Path(__file__).resolve().parent)
wsgi_app = "wsgi:app"
proc_name = "anthropic-proxy"
# The application would bind `ssl` before gevent patches it, see app/server/__init__.py.
preload_app = False

# --- where it listens

bind = f"[{SETTINGS.host}]:{SETTINGS.port}" if ":" in SETTINGS.host else f"{SETTINGS.host}:{SETTINGS.port}"
# Connections that may wait while a worker starts; the kernel caps it at net.core.somaxconn.
backlog = 2048
# One listener for all: with a listener each, a reload drops what waits at the leaving worker.
reuse_port = False

# --- workers

worker_class = GracefulWorker
# Streams wait for the upstream, so one worker carries thousands; the second serves while the first is
# replaced or counts tokens. More only when a core is busy: the number of cores says nothing inside a
# container.
workers = SETTINGS.workers
# Recycling a worker would cut every stream that outlasts graceful_timeout.
max_requests = 0
# The heartbeat is a file. On a disk that stalls, touching it blocks the worker (gunicorn's FAQ: "How do I
# avoid Gunicorn excessively blocking in os.fchmod?").
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
# An open stream holds one, an idle connection too, and the kernel shares new ones unevenly: each worker has
# room for all. Past this number connections wait in the backlog, which is better than running out of
# descriptors.
worker_connections = connections_that_fit(SETTINGS.worker_connections)

# --- time, in seconds

# A heartbeat of the worker's event loop, not a limit for requests. A worker that misses it is killed with
# every stream it holds: far above the longest work on the loop (under 2 s for the largest body), it still
# ends a hang.
timeout = 60
# How long an idle connection stays, and within what time a request's headers must arrive (0 would be: never
# mind). httpx, so both official SDKs, drops an idle connection after 5: the server must not be the first to
# close, or a request can meet a connection that is just being closed.
keepalive = 10
# What open streams get to finish after SIGTERM or SIGHUP, and then to say that they end.
graceful_timeout = SETTINGS.graceful_timeout + ENDING_SECONDS
# When whoever supervises this process sends SIGKILL, as it says itself: not before the streams had their
# time.
STOP_TIMEOUT = SETTINGS.stop_timeout or SETTINGS.graceful_timeout + 10
if SETTINGS.graceful_timeout >= STOP_TIMEOUT:
    sys.exit(
        f"GRACEFUL_TIMEOUT={SETTINGS.graceful_timeout}: expected less than the {STOP_TIMEOUT} s until SIGKILL; raise "
        f"those to {SETTINGS.graceful_timeout + 10} or more (in supervisord.conf: stopwaitsecs and STOP_TIMEOUT)"
    )

# --- what a request may look like

# The largest that gunicorn takes: any query string is accepted.
limit_request_line = 8190
# A client behind a CDN sends about 40.
limit_request_fields = 100
# Room for a long bearer token.
limit_request_field_size = 8190
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
loglevel = SETTINGS.log_level
logger_class = JsonLog if SETTINGS.log_format == "json" else TextLog

# --- at a start, a reload and an end


def on_starting(server: Arbiter) -> None:
    if worker_connections < SETTINGS.worker_connections:
        log = server.log.info if worker_connections >= 1000 else server.log.warning
        log(
            "WORKER_CONNECTIONS=%d needs more open files than the hard limit (ulimit -Hn) allows: a worker takes %d",
            SETTINGS.worker_connections,
            worker_connections,
        )
    addresses.warn_of_taken_metrics_port(SETTINGS, server)
    on_reload(server)
    metrics_folder.remove_stale()


def on_reload(server: Arbiter) -> None:
    server.held_addresses = addresses.as_texts(SETTINGS)


def when_ready(server: Arbiter) -> None:
    reloading.read_before_replacing(server)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    if SETTINGS.metrics_port:
        metrics_folder.provide(server)


def post_fork(server: Arbiter, worker: Worker) -> None:
    worker.end_by_signals_while_loading()
    reloading.forget_modules()


def post_worker_init(worker: Worker) -> None:
    # What the application is made of never becomes garbage: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()


def child_exit(server: Arbiter, worker: Worker) -> None:
    metrics_folder.close_open_requests(worker)


def on_exit(server: Arbiter) -> None:
    metrics_folder.remove(server)
