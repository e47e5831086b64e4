"""What the operator is told when the upstream cannot be reached, and what the client is not."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import certifi
import pytest

from app.errors import UpstreamTimeout, UpstreamUnreachable
from app.transport.dialing import Address, Dialer
from app.transport.patience import Patience


@contextmanager
def listener() -> Iterator[int]:
    """The port of a socket that takes connections into its backlog only."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("anthropic_proxy"), "propagate", True)
    return caplog


def dial(dialer: Dialer) -> None:
    dialer.dial(Patience(None, None)).close()


def test_a_refused_connection(warnings: pytest.LogCaptureFixture) -> None:
    with listener() as port:
        pass
    with pytest.raises(UpstreamUnreachable, match=r"^The upstream cannot be reached\.$"):
        dial(Dialer(Address("http", "127.0.0.1", port, ""), 2))
    assert warnings.messages == [f"The upstream 127.0.0.1:{port}: Connection refused"]


def test_a_name_that_nobody_knows(warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UpstreamUnreachable, match=r"^The upstream cannot be reached\.$"):
        dial(Dialer(Address("https", "api.example", 443, "", "http://proxy.example:3128"), 2))
    through = "api.example:443 through http://proxy.example:3128"
    assert warnings.messages == [f"The upstream {through}: Name or service not known"]


def test_silence(warnings: pytest.LogCaptureFixture) -> None:
    with listener() as port, pytest.raises(UpstreamTimeout):
        dial(Dialer(Address("https", "127.0.0.1", port, certifi.where()), 0.2))
    assert warnings.messages == [f"The upstream 127.0.0.1:{port}: no connection within 0.2 s"]


def test_the_same_is_said_once_a_minute(warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as port:
        pass
    dialer = Dialer(Address("http", "127.0.0.1", port, ""), 2)
    for minute in (7.0, 7.9, 8.0):
        monkeypatch.setattr("app.transport.dialing.time.monotonic", lambda now=minute * 60: now)
        with pytest.raises(UpstreamUnreachable):
            dial(dialer)
    assert len(warnings.messages) == 2
