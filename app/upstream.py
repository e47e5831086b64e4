"""One request to the upstream, its answer, and every way it can fail."""

from __future__ import annotations

import contextlib
import random
import time
import zlib
from collections.abc import Callable, Mapping, MutableMapping
from urllib.parse import urlsplit

import certifi
import requests
import requests.adapters
import urllib3.exceptions

from app.breath import breathe
from app.errors import ClientGone, ProxyError, UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from app.sandbox.adapter import SandboxAdapter
from app.settings import SANDBOX, Settings
from app.transport.dialing import Address, Dialer
from app.transport.exchange import Exchange, HeadPending
from app.transport.patience import Client, Patience
from app.transport.pool import Pool
from app.transport.socket_adapter import ExchangeBody, Outbound, SocketAdapter, response_of

READ_BYTES = 65536
RETRIED_STATUSES = frozenset({429, 503, 529})
MAX_EXPLANATION_BYTES = 1024 * 1024
RETRIES = 2
MAX_RETRY_AFTER = 5.0
"""Seconds; a longer `retry-after` is the client's to wait for."""


class Answer:
    """An upstream answer whose status and headers are known and whose body is still to be read."""

    def __init__(self, response: requests.Response, limit: int) -> None:
        self._raw = response.raw
        self._left = limit
        self.status: int = response.status_code
        self.headers: MutableMapping[str, str] = response.headers

    def read(self) -> bytes | None:
        """The next bytes as soon as there are some; b"" at the end; None when the client should be kept alive.

        Raises UpstreamTimeout, UpstreamBroken (cut, too large, undecodable) and ClientGone.
        """
        breathe()
        try:
            data: bytes | None = self._raw.read1(READ_BYTES, decode_content=True)
            if data:
                self._left -= len(data)
                if self._left < 0:
                    raise UpstreamBroken("The upstream's answer is larger than MAX_ANSWER_BYTES allows.")
        except ProxyError:
            self.close()
            raise
        except _FOREIGN as failure:
            self.close()
            raise _named(failure) from None
        return data

    def forget_headers(self) -> None:
        """They can be 4 KB; a stream lives long, and whoever reads it needs none of them any more."""
        self.headers.clear()

    def body(self) -> bytes:
        """The whole body; whoever waits for a buffered answer cannot be kept alive."""
        pieces = []
        while (data := self.read()) != b"":
            if data:
                pieces.append(data)
        self.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def explanation(self) -> bytes:
        """What can be read of the body of an error: the status tells more than a fault behind it would.

        Raises ClientGone.
        """
        pieces, length = [], 0
        with contextlib.suppress(UpstreamError):
            while length <= MAX_EXPLANATION_BYTES and (data := self.read()) != b"":
                pieces.append(data or b"")
                length += len(pieces[-1])
        self.close()
        return b"".join(pieces)

    def finish(self) -> None:
        """Let go of the connection at the end of a message, so that it can serve again."""
        if isinstance(self._raw, ExchangeBody):
            self._raw.exchange.finish()
        self.close()

    def close(self) -> None:
        """Let go of the connection; called in the middle of an answer, it ends the upstream's work."""
        self._raw.close()


class Pending:
    """A request that is sent and whose answer has not begun after the interval at which clients are kept alive."""

    def __init__(self, exchange: Exchange, finish: Callable[[], Answer]) -> None:
        self._exchange = exchange
        self._finish = finish

    def answer(self) -> Answer | None:
        """The answer, or None when the client should be kept alive once more."""
        try:
            self._exchange.head()
        except HeadPending:
            return None
        return self._finish()

    def close(self) -> None:
        self._exchange.close()


class Upstream:
    """The configured upstream. One for each process, shared by all its requests.

    Requests go straight to an adapter of `requests`: a Session would add cookies of other clients, `~/.netrc`, proxy
    variables and redirects, none of which may happen here.
    """

    def __init__(self, settings: Settings, on_retry: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._timeout = (settings.upstream_connect_timeout, settings.first_byte_timeout)
        self._on_retry = on_retry
        self.base = settings.upstream_base
        url = urlsplit(self.base)
        port = url.port or (443 if url.scheme == "https" else 80)
        self.host = (url.hostname or "") + (f":{url.port}" if url.port else "")
        if self.base == SANDBOX:
            self._adapter: requests.adapters.BaseAdapter = SandboxAdapter()
        else:
            ca_file = settings.upstream_ca_file or certifi.where()
            address = Address(url.scheme, url.hostname or "", port, ca_file, settings.upstream_proxy)
            self._adapter = SocketAdapter(Pool(Dialer(address, settings.upstream_connect_timeout)), settings)

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        client: Client | None = None,
        keep_alive: bool = False,
    ) -> Answer | Pending:
        """One request to `path` below the base; Pending only with `keep_alive`, when the answer is long in coming.

        When `client` leaves, the connection to the upstream is closed.
        Raises UpstreamUnreachable, UpstreamTimeout, UpstreamBroken, ClientGone.
        """
        interval = self._settings.keepalive_interval if keep_alive else None
        latest = time.monotonic() + self._settings.upstream_total_timeout
        for attempt in range(RETRIES + 1):
            request = Outbound(method, self.base + path, headers, body, Patience(client, interval, latest))
            answer = self._sent_once(request)
            pause = self._pause(answer, attempt)
            if pause is None:
                return answer
            answer.close()
            self._on_retry()
            time.sleep(pause)
            if client is not None and client.has_left():
                raise ClientGone
        return answer

    def _sent_once(self, request: Outbound) -> Answer | Pending:
        try:
            response = self._adapter.send(request, stream=True, timeout=self._timeout, verify=True)
        except HeadPending as pending:
            exchange = pending.exchange
            # It is sent and may be large, and its answer be long in coming.
            request.body = None
            return Pending(exchange, lambda: self._answer(response_of(request, ExchangeBody(exchange))))
        except _FOREIGN as failure:
            raise _named(failure) from None
        return self._answer(response)

    def _answer(self, response: requests.Response) -> Answer:
        if 300 <= response.status_code < 400:
            # Following it could carry the key to another host.
            response.raw.close()
            raise UpstreamBroken("The upstream answered with a redirect; set UPSTREAM_BASE to where it leads.")
        return Answer(response, self._settings.max_answer_bytes)

    def _pause(self, answer: Answer | Pending, attempt: int) -> float | None:
        """Seconds to wait before the request is sent again, or None to take the answer as it is."""
        if not self._settings.retry_overloaded or attempt == RETRIES or isinstance(answer, Pending):
            return None
        if answer.status not in RETRIED_STATUSES:
            return None
        try:
            seconds = float(answer.headers.get("retry-after", ""))
        except ValueError:
            return None
        return seconds + random.uniform(0, 0.25) if 0 <= seconds <= MAX_RETRY_AFTER else None


_FOREIGN = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, zlib.error, OSError)


def _named(failure: Exception) -> UpstreamError:
    """A foreign failure as one of ours, in words of ours: theirs carry hosts, ports and paths."""
    if isinstance(failure, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return UpstreamTimeout("The upstream did not answer in time.")
    if isinstance(failure, requests.exceptions.ConnectionError):
        return UpstreamUnreachable("The upstream cannot be reached.")
    return UpstreamBroken("The upstream's answer was cut or cannot be read.")
