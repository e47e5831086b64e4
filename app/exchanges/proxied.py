"""One request of a client and its answer, whichever API it speaks: what is the same on the way through the proxy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from app.errors import ClientGone, ProxyError, UpstreamRefusal
from app.redaction import headers_without_keys, without_keys
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.translate.upstream_error import read_error
from app.transport.pieces import PIECE_BYTES, pieces
from app.upstream import Answer, Pending


class ProxiedExchange(ABC):
    """Serves one request, whole or as `frames()`, once; then `headers` tell what came with the answer."""

    _keepalive: ClassVar[bytes]
    """What its readers skip wherever it stands in a stream."""

    def __init__(self, services: Services, caller: Caller, route: Route, record: RequestRecord) -> None:
        self._services = services
        self._caller = caller
        self._route = route
        self._record = record
        self._answer: Answer | Pending | None = None
        self.headers: dict[str, str] = {}

    def frames(self) -> Iterator[bytes]:
        """The answer as server-sent events, one item for each read of the upstream, a large one in several.

        The first item is empty and says that the answer has begun. Before it an error is raised, so that it has a
        status of its own; after it, it becomes an event.
        """
        began = False
        try:
            for frame in self._frames():
                if not began:
                    began = True
                    yield b""
                    self._record.first_byte()
                self._count(frame)
                if len(frame) <= PIECE_BYTES:
                    yield frame
                else:
                    yield from pieces(frame)
                # While the next is awaited, nobody holds the last.
                del frame
        except ProxyError as error:
            if not began:
                raise
            self._record.failed(error)
            if isinstance(error, ClientGone):  # it may have closed its own direction only
                self._record.left()
            event = self._error_event(without_keys(error, self._caller.credentials.values()))
            self._count(event)
            yield event
        except GeneratorExit:
            self._abandon()
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the upstream."""
        if self._answer is not None:
            self._answer.close()

    @abstractmethod
    def _frames(self) -> Iterator[bytes]:
        """The frames of the answer."""

    @abstractmethod
    def _passed_back(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Those of the upstream's headers that the client may read, in its API's dialect."""

    @abstractmethod
    def _error_event(self, error: ProxyError) -> bytes:
        """`error`, which holds no keys, as the last event of a stream."""

    def _forget_client_headers(self) -> None:
        """Nothing is sent upstream any more; a stream lives long, and its client's headers can be 4 KB."""
        self._caller = replace(self._caller, headers={})

    def _count(self, frame: bytes) -> None:
        """`frame` goes to the client now."""
        self._record.bytes_out += len(frame)
        self._caller.client.wrote()

    def _abandon(self) -> None:
        """The client left while a frame was on its way to it."""
        self._record.left()

    def _send(self, headers: dict[str, str], body: bytes, keep_alive: bool) -> Answer | Pending:
        upstream, client = self._services.upstream, self._caller.client
        self._answer = upstream.send("POST", "/v1/messages", headers, body, client, keep_alive)
        return self._answer

    def _whole(self, sent: Answer | Pending) -> Answer:
        """What was sent without `keep_alive`, accepted. Raises UpstreamError, ClientGone."""
        answer = self._settled(sent, keep_alive=False)
        assert isinstance(answer, Answer)
        return answer

    def _begun(self, sent: Answer | Pending) -> Generator[bytes, None, Answer]:
        """What was sent with `keep_alive`, accepted; until then, what keeps the client alive.

        Raises UpstreamError, ClientGone.
        """
        answer = self._settled(sent, keep_alive=True)
        while isinstance(answer, Pending):
            yield self._keepalive
            self._answer = answer.answer() or answer
            answer = self._settled(self._answer, keep_alive=True)
        return answer

    def _settled(self, answer: Answer | Pending, keep_alive: bool) -> Answer | Pending:
        """`answer`, accepted once it has begun. Raises UpstreamRefusal."""
        if isinstance(answer, Pending):
            return answer
        refusal = self._refusal(answer)
        if refusal is not None:
            raise refusal
        self._take_headers(answer)
        return answer

    def _refusal(self, answer: Answer) -> UpstreamRefusal | None:
        """The refusal that an answer with an error status tells; None for any other answer."""
        self._record.upstream_answered(answer.status)
        return read_error(answer.status, answer.explanation(), answer.headers) if answer.status >= 400 else None

    def _take_headers(self, answer: Answer) -> None:
        told = self._passed_back(answer.headers)
        self.headers |= headers_without_keys(told, self._caller.credentials.values())
