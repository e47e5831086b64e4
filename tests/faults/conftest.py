"""Servers that live for the session, one for each set of timeouts; a test fails if one of them logs a traceback."""

from collections.abc import Iterator

import pytest

from .answers import MEGABYTE
from .certificates import Authority
from .gunicorn_server import GunicornServer
from .raw_upstream import RawUpstream
from .scripts import SCRIPTS, build_answers, redirect

READ_TIMEOUT = 1.5
CONNECT_TIMEOUT = 1.0
PATIENT_READ_TIMEOUT = 1.9
PATIENT_FIRST_BYTE_TIMEOUT = 2.6
KEEPALIVE_INTERVAL = 0.6
REDIRECTS = (301, 302, 303, 307, 308)
_servers: list[GunicornServer] = []


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[RawUpstream]:
    """The host to which the upstream's redirects lead."""
    with RawUpstream(SCRIPTS) as other:
        yield other


@pytest.fixture(scope="session")
def upstream(elsewhere: RawUpstream) -> Iterator[RawUpstream]:
    build_answers()
    redirects = {f"redirect-{status}": redirect(status, f"http://127.0.0.1:{elsewhere.port}") for status in REDIRECTS}
    with RawUpstream(SCRIPTS | redirects) as raw:
        yield raw


def start(application: str = "wsgi:app", **environ: object) -> Iterator[GunicornServer]:
    """A server for as long as the iterator is not asked for another; its log is watched for tracebacks."""
    with GunicornServer(application, **environ) as server:
        _servers.append(server)
        try:
            yield server
            assert "Traceback" not in server.log(), server.log()
        finally:
            _servers.remove(server)


@pytest.fixture(scope="session")
def server(upstream: RawUpstream) -> Iterator[GunicornServer]:
    """One worker with short upstream timeouts; streams are kept alive later than they time out."""
    yield from start(
        UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}",
        UPSTREAM_READ_TIMEOUT=READ_TIMEOUT,
        UPSTREAM_CONNECT_TIMEOUT=CONNECT_TIMEOUT,
        SERVER_API_KEY="sk-server-key",
        ALLOW_ANONYMOUS="false",
    )


@pytest.fixture(scope="session")
def patient_server(upstream: RawUpstream) -> Iterator[GunicornServer]:
    """One worker that keeps its clients alive before the upstream times out, and is strict with slow ones."""
    yield from start(
        UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}",
        UPSTREAM_READ_TIMEOUT=PATIENT_READ_TIMEOUT,
        UPSTREAM_FIRST_BYTE_TIMEOUT=PATIENT_FIRST_BYTE_TIMEOUT,
        KEEPALIVE_INTERVAL=KEEPALIVE_INTERVAL,
        CLIENT_SEND_TIMEOUT=2,
        CLIENT_BODY_TIMEOUT=2,
        MAX_BODY_BYTES=1_000_000,
        MAX_ANSWER_BYTES=24 * MEGABYTE,
        RETRY_OVERLOADED="true",
    )


@pytest.fixture(scope="session")
def two_workers(upstream: RawUpstream) -> Iterator[GunicornServer]:
    """Two workers whose upstream may be silent for longer than any test is."""
    yield from start(
        UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}",
        WORKERS=2,
        UPSTREAM_READ_TIMEOUT=60,
        KEEPALIVE_INTERVAL=KEEPALIVE_INTERVAL,
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def tls_upstream(authority: Authority) -> Iterator[RawUpstream]:
    build_answers()
    with RawUpstream(SCRIPTS, authority.server_context("localhost")) as raw:
        yield raw


@pytest.fixture(scope="session")
def tls_server(authority: Authority, tls_upstream: RawUpstream) -> Iterator[GunicornServer]:
    yield from start(
        UPSTREAM_BASE=f"https://localhost:{tls_upstream.port}",
        UPSTREAM_CA_FILE=authority.ca_file,
        UPSTREAM_CONNECT_TIMEOUT=CONNECT_TIMEOUT,
        UPSTREAM_READ_TIMEOUT=READ_TIMEOUT,
    )


@pytest.fixture(autouse=True)
def no_traceback() -> Iterator[None]:
    lengths = {server: len(server.log()) for server in _servers}
    yield
    for server in _servers:
        said = server.log()[lengths.get(server, 0) :]
        assert "Traceback" not in said, said
        assert " 500 " not in said, said
