"""One Messages request passed through: bytes out, bytes back, and no more read of them than must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.errors import ProxyError, UpstreamBroken
from app.exchanges.documented_stream import DocumentedStream, Piece
from app.exchanges.proxied import ProxiedExchange
from app.exchanges.upstream_events import is_stream, message_of, readable_message
from app.headers import listing, messages_headers, passed_back
from app.json_body import dump_json
from app.redaction import quotes_key, without_keys
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.sse import PING, EventCutter, EventReader, encode_event
from app.tokens import estimate_input_tokens
from app.translate.error_body import anthropic_error
from app.translate.message_events import documented_message, folded_message, streamed_events
from app.translate.model_name import with_model
from app.translate.upstream_error import stream_error
from app.translate.usage import input_tokens
from app.upstream import Answer, Pending

Event = dict[str, Any]


class MessagesExchange(ProxiedExchange):
    """Serves one Messages request: `message()` or `frames()`."""

    _keepalive = PING

    def __init__(
        self,
        services: Services,
        caller: Caller,
        body: bytes,
        request: Mapping[str, Any],
        route: Route,
        record: RequestRecord,
    ) -> None:
        super().__init__(services, caller, route, record)
        self._to_estimate = request if services.settings.seed_usage_estimate else {}
        changed = request.get("model") != route.upstream_model
        self._body = with_model(body, route.upstream_model) if changed else body
        self._has_begun = False
        """Whether an event came that tells something; until one does, an error still gets a status of its own."""
        self._ended = False
        self._stop_reason: Any = None
        self.headers = {"x-upstream-model": listing([route.upstream_model]), "request-id": caller.request_id}

    def message(self) -> bytes:
        """The upstream's body, as it came where it is as documented. Raises UpstreamError, ClientGone."""
        answer = self._whole(self._sent(keep_alive=False))
        body = answer.body()
        if is_stream(answer, body[:64]):
            reader = EventReader()
            message = folded_message([*reader.feed(body), *reader.end()])
            body = dump_json(message)
        else:
            came, body = readable_message(body, answer)
            message = documented_message(came)
            body = body if message is came else dump_json(message)
        self._record.used(message.get("usage"))
        return body

    def _sent(self, keep_alive: bool) -> Answer | Pending:
        caller = self._caller
        headers = messages_headers(caller.headers, caller.credentials, self._services.settings, caller.request_id)
        # It is sent once; an open stream need not hold it.
        body, self._body = self._body, b""
        return self._send(headers, body, keep_alive)

    def _passed_back(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return passed_back(headers)

    def _error_event(self, error: ProxyError) -> bytes:
        return encode_event(anthropic_error(error, self._caller.request_id)[1])

    def _frames(self) -> Iterator[bytes]:
        """The upstream's events as they came."""
        answer = yield from self._begun(self._sent(keep_alive=True))
        while (data := answer.read()) is None:
            yield PING
        if is_stream(answer, data):
            answer.forget_headers()
            self._forget_client_headers()
            yield from self._passed(data, answer)
        else:
            yield self._streamed(data + answer.body(), answer)

    def _passed(self, data: bytes | None, answer: Answer) -> Iterator[bytes]:
        """Whole events of each read, `data` being the first."""
        cutter, stream, held = EventCutter(), DocumentedStream(), b""
        while data != b"":
            if data is None:
                yield PING
            else:
                held += self._told(stream.feed(cutter.feed(data)))
                # Comments and pings wait for the first event that tells something.
                if held and self._has_begun:
                    yield held
                    held = b""
            if self._ended:
                answer.finish()
                return
            data = answer.read()
        yield from self._rest(held + self._told(stream.end(cutter.rest())))

    def _told(self, pieces: list[Piece]) -> bytes:
        """What of `pieces` goes to the client, who is told nothing behind the end."""
        told: list[bytes] = []
        for frame, event in pieces:
            told.append(frame if event is None else self._read(frame, event))
            if self._ended:
                break
        return b"".join(told)

    def _read(self, frame: bytes, event: Event) -> bytes:
        """Take from `event` what it tells of the start, the end, usage or an error."""
        kind = event["type"]
        first, self._has_begun = not self._has_begun, self._has_begun or kind != "ping"
        if kind == "error":
            frame = self._failed(frame, event, first)
        elif kind == "message_start":
            self._record.used(event["message"]["usage"])
            frame = self._seeded(frame, event)
        elif kind == "message_delta":
            self._record.used(event["usage"])
            self._stop_reason = event["delta"].get("stop_reason")
        self._ended = kind in ("message_stop", "error")
        return frame

    def _failed(self, frame: bytes, event: Event, first: bool) -> bytes:
        """An error event for the client. Raises UpstreamRefusal if nothing came before it."""
        error = stream_error(event)
        if first:
            raise error
        self._record.failed(error)
        keys = self._caller.credentials.values()
        clean = error.native and not quotes_key(error.body, keys)
        return frame if clean else self._error_event(without_keys(error, keys))

    def _seeded(self, frame: bytes, event: Event) -> bytes:
        """A message_start whose usage says zero, with the local estimate: clients show it as the context in use."""
        usage = event["message"]["usage"]
        request, self._to_estimate = self._to_estimate, {}
        if not request or input_tokens(usage):
            return frame
        estimate = estimate_input_tokens(request, self._route.upstream_model)
        message = event["message"] | {"usage": usage | {"input_tokens": estimate}}
        return encode_event(event | {"message": message})

    def _rest(self, rest: bytes) -> Iterator[bytes]:
        """What a stream without its end still owes the client."""
        if rest and self._has_begun:
            yield rest
        if self._ended:
            return
        if self._stop_reason is None:
            raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
        yield encode_event({"type": "message_stop"})

    def _streamed(self, body: bytes, answer: Answer) -> bytes:
        message = message_of(body, answer)
        self._record.used(message.get("usage"))
        self._ended = True
        return b"".join(map(encode_event, streamed_events(message)))
