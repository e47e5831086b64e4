"""A transport adapter of `requests` over connections of our own, and the body of an answer, decoded within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
from requests.structures import CaseInsensitiveDict

from app.errors import InvalidRequest, UpstreamBroken
from app.settings import Settings
from app.transport.exchange import Exchange
from app.transport.inflating import Inflater
from app.transport.patience import Patience
from app.transport.pool import Pool

_SEND_OF_REQUESTS = requests.adapters.HTTPAdapter.send


class Outbound(requests.PreparedRequest):
    """A request that is ready as it is: `headers` by lower-case name, `patience` for its answer."""

    def __init__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, patience: Patience
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers  # type: ignore[assignment]
        self.body = body
        self.hooks = {}
        self.patience = patience


class SocketAdapter(requests.adapters.HTTPAdapter):
    """`requests` above, connections of our own below: `HTTPAdapter.send` asks this class for a pool, sends through
    `urlopen`, and builds its response of what comes back."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        super().__init__(max_retries=0)
        self._pool = pool
        self._settings = settings
        self._through_proxy = bool(settings.upstream_proxy) and settings.upstream_base.startswith("http:")
        url = urlsplit(settings.upstream_base)
        self._host = url.netloc
        self._prefix_length = len(f"{url.scheme}://{url.netloc}")

    def send(self, request: Outbound, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """What `HTTPAdapter.send` does with this class, without what it does for other adapters.

        A library that replaces it to answer by itself, as `responses` does in tests, still sees every request.
        """
        if requests.adapters.HTTPAdapter.send is not _SEND_OF_REQUESTS:
            request.headers = CaseInsensitiveDict(request.headers)
            return super().send(request, *args, **options)
        return response_of(request, ExchangeBody(self.exchange(request, self.request_url(request, None))))

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        return _BoundPool(self, request)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The dialer's own context verifies; there is no way to switch that off."""

    def request_url(self, request: Any, proxies: Any) -> str:
        url: str = request.url
        return url if self._through_proxy else url[self._prefix_length :]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        if not isinstance(resp, ExchangeBody):
            return super().build_response(req, resp)
        return response_of(req, resp)

    def exchange(self, request: Outbound, url: str) -> Exchange:
        """Send `request` and wait for the head of its answer. Raises HeadPending and the UpstreamErrors."""
        body = request.body if isinstance(request.body, bytes) else b""
        exchange = self._pool.send(
            self._head(request, url, len(body)) + body,
            request.patience,
            self._settings.first_byte_timeout,
            self._settings.upstream_read_timeout,
        )
        exchange.head()
        return exchange

    def _head(self, request: Outbound, url: str, length: int) -> bytes:
        fields = [f"{name}: {value}" for name, value in request.headers.items()]
        if length or request.method == "POST":
            fields.append(f"Content-Length: {length}")
        lines = [f"{request.method} {url} HTTP/1.1", f"Host: {self._host}", *fields]
        text = "".join(lines)
        if "\r" in text or "\n" in text or "\0" in text:
            raise InvalidRequest("A header of the request holds a line break.")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")


class _BoundPool:
    """What `HTTPAdapter.send` takes for a urllib3 pool, for one request."""

    def __init__(self, adapter: SocketAdapter, request: Outbound) -> None:
        self._adapter = adapter
        self._request = request

    def urlopen(self, url: str, **_: Any) -> ExchangeBody:
        return ExchangeBody(self._adapter.exchange(self._request, url))


class ExchangeBody:
    """The part of a urllib3 response that this project reads: `read1` and `close`."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        encoding = exchange.headers.get("content-encoding", "").strip().lower()
        self._inflate = None if encoding in {"", "identity"} else Inflater(encoding)

    def read1(self, amount: int, decode_content: bool = True) -> bytes | None:
        """The next bytes, decoded; at most `amount` of them come out of a compressed body at once.

        Raises zlib.error for a body that is not what it says, UpstreamBroken for one that was cut or cannot be read.
        """
        inflate = self._inflate
        if inflate is None:
            return self.exchange.read()
        while True:
            compressed = inflate.left or self.exchange.read()
            if compressed is None:
                return None
            if not compressed:
                if not inflate.ended:
                    raise UpstreamBroken("The upstream's compressed answer was cut.")
                return b""
            data = inflate.feed(compressed, amount)
            if data:
                return data

    def close(self) -> None:
        self.exchange.close()


class _Response(requests.Response):
    def __init__(self) -> None:
        """Without the cookie jar, encodings and history that nobody here asks for."""


def response_of(request: requests.PreparedRequest, body: ExchangeBody) -> requests.Response:
    """A response of an exchange; its header names are in lower case.

    It does not hold `request`: a stream lives long, and the body of its request may be large.
    """
    response = _Response()
    response.status_code = body.exchange.status
    response.headers = body.exchange.headers  # type: ignore[assignment]
    response.raw = body
    response.url = str(request.url)
    return response
