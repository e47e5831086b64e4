"""An upstream that answers only after the client was kept alive, and the application in front of it."""

import threading
from collections.abc import Callable, Iterator

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.settings import Settings
from tests.faults.answers import sized
from tests.faults.raw_upstream import Call, Peer, RawUpstream

KEEPALIVE = b": keep-alive\n\n"


class LateUpstream:
    """A script for RawUpstream: `answer` gives the status and body of each call.

    A streaming call is answered once its client was kept alive, which `read` tells: no clock decides.
    """

    def __init__(self, answer: Callable[[Call], tuple[int, bytes]]) -> None:
        self._answer = answer
        self._kept_alive = threading.Event()

    def __call__(self, peer: Peer) -> bool:
        self._kept_alive.clear()
        assert not peer.streams or self._kept_alive.wait(5)
        status, body = self._answer(peer.call)
        peer.send(sized(peer, body, status=f"{status} Late"))
        return True

    def read(self, answer: TestResponse) -> Iterator[bytes]:
        """The frames of `answer`."""
        for frame in answer.iter_encoded():
            if frame == KEEPALIVE:
                self._kept_alive.set()
            yield frame


def kept_alive(raw: RawUpstream, **environ: str) -> FlaskClient:
    """A client of the application in front of `raw`, which keeps its streams alive soon."""
    settings = {"UPSTREAM_BASE": f"http://127.0.0.1:{raw.port}", "KEEPALIVE_INTERVAL": "0.02"}
    return create_app(Settings.from_env(settings | {"THINKING_STORE": "memory"} | environ)).test_client()
