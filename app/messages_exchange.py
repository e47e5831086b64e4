"""One Messages request passed through: bytes out, bytes back, and no more read of them than must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.documented_stream import DocumentedStream
from app.errors import ProxyError, UpstreamBroken
from app.headers import listing, messages_headers, passed_back
from app.json_body import dump_json
from app.proxied_exchange import ProxiedExchange
from app.redaction import quotes_key, without_keys
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.sse import PING, EventCutter, EventReader, encode_event, split_frames
from app.tokens import estimate_input_tokens
from app.translate.error_body import anthropic_error
from app.translate.message_events import folded_message, streamed_events
from app.translate.model_name import with_model
from app.translate.upstream_error import stream_error
from app.translate.usage import input_tokens
from app.upstream import Answer, Pending
from app.upstream_events import is_stream, message_of

Event = dict[str, Any]
_TOLD = re.compile(rb'(?:"type"\s*:\s*"|^event: ?)(?:message_start|message_delta|message_stop|error)\b', re.MULTILINE)
"""Where an event may stand that is read; text that looks like one is only parsed in vain."""
_BEGUN = re.compile(rb'(?:^|[\r\n])data:(?!\s*\{\s*"type"\s*:\s*"ping")')
"""An event that tells something; until one comes, an error still gets a status of its own."""


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
        self._ended = False
        self._stop_reason: Any = None
        self.headers = {"x-upstream-model": listing([route.upstream_model]), "request-id": caller.request_id}

    def message(self) -> bytes:
        """The upstream's body as it came. Raises UpstreamError, ClientGone."""
        answer = self._whole(self._sent(keep_alive=False))
        body = answer.body()
        if is_stream(answer, body[:64]):
            reader = EventReader()
            message = folded_message([*reader.feed(body), *reader.end()])
            body = dump_json(message)
        else:
            message = message_of(body, answer)
        self._record.used(message.get("usage") or {})
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
            yield from self._passed(data, answer)
        else:
            yield self._streamed(data + answer.body(), answer)

    def _passed(self, data: bytes | None, answer: Answer) -> Iterator[bytes]:
        """Whole events of each read, `data` being the first."""
        cutter, stream, held, at_start = EventCutter(), DocumentedStream(), b"", True
        while data != b"":
            if data is None:
                yield PING
            else:
                held += stream.feed(cutter.feed(data))
                # Comments and pings wait for the first event that tells something.
                if held and (not at_start or _BEGUN.search(held)):
                    yield held if stream.only_grew else self._told(held, at_start)
                    held, at_start = b"", False
            if self._ended:
                answer.finish()
                return
            data = answer.read()
        rest = cutter.rest().rstrip(b"\r\n") + b"\n\n"
        yield from self._rest(held + (stream.feed(rest) if EventReader().feed(rest) else b""), at_start)

    def _told(self, whole: bytes, at_start: bool) -> bytes:
        """Whole events, read where they tell of the start, the end, usage or an error; none follows the end."""
        kept: list[bytes] = []
        for frame in split_frames(whole):
            match = _TOLD.search(frame)
            kept.append(self._read(frame, at_start) if match else frame)
            at_start = at_start and not _BEGUN.search(frame)
            if self._ended:
                break
        return b"".join(kept)

    def _read(self, frame: bytes, first: bool) -> bytes:
        for event in EventReader().feed(frame):
            kind = event.get("type")
            if kind == "error":
                frame = self._failed(frame, event, first)
            elif kind == "message_start" and isinstance(event.get("message"), dict):
                self._record.used(event["message"].get("usage") or {})
                return self._seeded(frame, event)
            elif kind == "message_delta":
                self._record.used(event.get("usage") or {})
                delta = event.get("delta")
                self._stop_reason = delta.get("stop_reason") if isinstance(delta, dict) else None
            self._ended = self._ended or kind in {"message_stop", "error"}
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
        usage = event["message"].get("usage") or {}
        request, self._to_estimate = self._to_estimate, {}
        if not request or input_tokens(usage):
            return frame
        estimate = estimate_input_tokens(request, self._route.upstream_model)
        message = event["message"] | {"usage": usage | {"input_tokens": estimate}}
        return encode_event(event | {"message": message})

    def _rest(self, rest: bytes, at_start: bool) -> Iterator[bytes]:
        """What a stream without its end still owes the client."""
        if _BEGUN.search(rest):
            yield self._told(rest, at_start)
        if self._ended:
            return
        if self._stop_reason is None:
            raise UpstreamBroken("The upstream ended the stream before the answer was complete.")
        yield encode_event({"type": "message_stop"})

    def _streamed(self, body: bytes, answer: Answer) -> bytes:
        message = message_of(body, answer)
        self._record.used(message.get("usage") or {})
        self._ended = True
        return b"".join(map(encode_event, streamed_events(message)))
