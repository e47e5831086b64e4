"""The sandbox on a port of its own, once for all tests that talk to it."""

from collections.abc import Iterator

import pytest

from tests.sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The base URL of a running sandbox."""
    with SandboxServer() as server:
        yield server.url
