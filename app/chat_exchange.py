"""One chat completion: translated, sent, asked again where the upstream taught us something, and answered."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.errors import ClientGone, ShuttingDown, UpstreamError, UpstreamRefusal
from app.headers import chat_headers, listing, openai_headers
from app.json_body import dump_json
from app.lessons import lesson
from app.profiles import Profile
from app.redaction import headers_without_keys, without_keys
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.sse import DONE, KEEPALIVE, encode
from app.thinking_store import names_one_call, owner_of
from app.tokens import estimate_input_tokens, estimate_text_tokens
from app.translate.chat_stream import ChatStream
from app.translate.error_body import openai_error
from app.translate.messages import recallable_ids
from app.translate.paused_turn import ContinuedTurn, can_pause
from app.translate.request import Options, Translation, messages_request
from app.translate.response import folded
from app.translate.upstream_error import read_error
from app.translate.usage import Usage, chat_usage
from app.upstream import Answer, Pending
from app.upstream_events import answer_events, buffered_events

Event = dict[str, Any]
LEARNED_FROM = frozenset({400, 422})


class ChatExchange:
    """Serves one chat request. `completion()` or `frames()`, once; then `headers` tell what came with it."""

    def __init__(
        self,
        services: Services,
        caller: Caller,
        chat_request: dict[str, Any],
        route: Route,
        record: RequestRecord,
    ) -> None:
        self._services = services
        self._caller = caller
        self._chat_request = chat_request
        self._route = route
        self._record = record
        settings = services.settings
        self._options = Options(settings.default_max_tokens, settings.strict_params, settings.auto_cache_control)
        self._translation: Translation
        self._answer: Answer | Pending | None = None
        self._stream: ChatStream
        self.headers: dict[str, str] = {}

    def completion(self) -> dict[str, Any]:
        """The whole chat completion. Raises InvalidRequest, UpstreamError, ClientGone."""
        answer = self._open(keep_alive=False)
        assert isinstance(answer, Answer)
        chunks = []
        turn = self._turn()
        while True:
            for event in buffered_events(answer):
                for joined in turn.feed(event) if turn else (event,):
                    chunks += self._stream.feed(joined)
            if turn is None or not turn.paused:
                break
            answer = self._continued(turn)
        chunks += self._stream.end()
        self._finish()
        return folded(chunks, chat_usage(self._stream.final_usage()))

    def frames(self) -> Iterator[bytes]:
        """The answer as server-sent events, one item for each read of the upstream.

        Before the first item an error is raised, so that it has a status of its own; after it, it becomes a frame.
        """
        began = False
        try:
            for frame in self._frames():
                began = True
                yield frame
                del frame
        except (UpstreamError, ShuttingDown) as error:
            if not began:
                raise
            self._record.failed(error)
            yield encode(openai_error(without_keys(error, self._caller.credentials.values()))[1])
        except ClientGone:
            self._record.left()
        except GeneratorExit:
            # Some clients leave at the first tool call and come back with its result.
            self._remember()
            self._record.left()
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the upstream."""
        if self._answer is not None:
            self._answer.close()

    def _frames(self) -> Iterator[bytes]:
        answer = self._open(keep_alive=True)
        while isinstance(answer, Pending):
            yield KEEPALIVE
            answer = self._begun(answer)
        turn = self._turn()
        while True:
            for events in answer_events(answer):
                if events is None:
                    yield KEEPALIVE
                    continue
                yield from self._frame(events, turn)
                # While the next ones are awaited, nobody holds the last.
                del events
                if self._stream.ended:
                    break
            if turn is None or not turn.paused:
                break
            answer = self._continued(turn)
        end = b"".join(map(encode, self._stream.end())) + DONE
        # Before the client knows of the end: its next request may reach another worker at once.
        self._finish()
        yield end
        answer.finish()

    def _frame(self, events: list[Event], turn: ContinuedTurn | None) -> Iterator[bytes]:
        """The chunks of one read, joined; those before an error event go out before it is raised."""
        chunks: list[bytes] = []
        try:
            for event in events:
                chunks += map(encode, self._fed(event, turn))
        finally:
            if chunks:
                yield b"".join(chunks)

    def _fed(self, event: Event, turn: ContinuedTurn | None) -> list[Event]:
        if turn is None:
            return self._stream.feed(event)
        return [chunk for joined in turn.feed(event) for chunk in self._stream.feed(joined)]

    def _open(self, keep_alive: bool) -> Answer | Pending:
        """Send the request; once more if a refusal teaches what to leave out."""
        profile = self._services.profile(self._route.upstream_model)
        self._translate(profile)
        answer = self._send(self._translation.body, keep_alive)
        refusal = self._refusal(answer)
        if refusal is not None:
            answer = self._retried(refusal, profile, keep_alive)
        if isinstance(answer, Answer):
            self._accept(answer)
        return answer

    def _refusal(self, answer: Answer | Pending) -> UpstreamRefusal | None:
        if not isinstance(answer, Answer) or answer.status < 400:
            return None
        self._record.upstream_answered(answer.status)
        return read_error(answer.status, answer.body(), answer.headers)

    def _retried(self, refusal: UpstreamRefusal, profile: Profile, keep_alive: bool) -> Answer | Pending:
        """The answer to the request without what `refusal` names. Raises it if it teaches nothing, or the next one.

        A lesson counts only once the upstream got past that refusal: its sentence may quote what a client wrote.
        """
        services, model = self._services, self._route.upstream_model
        learnable = refusal.status in LEARNED_FROM and services.settings.learn_from_refusals
        learned = lesson(refusal.message, profile) if learnable else None
        refused = self._translation.body
        if learned is not None:
            self._translate(replace(profile, **learned.changes), learned.name)
        if learned is None or self._translation.body == refused:
            raise refusal
        answer = self._send(self._translation.body, keep_alive)
        again = self._refusal(answer)
        proved = isinstance(answer, Answer) if again is None else again.message != refusal.message
        if proved:
            services.lessons.remember(learned, services.upstream.host, model)
            services.metrics.learned(learned.name)
        if again is not None:
            raise again
        return answer

    def _translate(self, profile: Profile, *learned: str) -> None:
        self._translation = messages_request(
            self._chat_request,
            self._route.requested_model,
            self._route.upstream_model,
            profile,
            self._options,
            self._recalled(),
        )
        translation, model = self._translation, self._route.upstream_model
        known = self._services.lessons.names(self._services.upstream.host, model)
        told = {
            "x-upstream-model": [model],
            "x-proxy-ignored": translation.ignored,
            "x-proxy-adjusted": translation.adjusted,
            "x-proxy-learned": list(dict.fromkeys([*known, *learned])),
        }
        self.headers = {name: listing(items) for name, items in told.items() if items}
        self._stream = ChatStream(
            translation.answer, f"chatcmpl-{os.urandom(16).hex()}", int(time.time()), self._estimate
        )

    def _send(self, body: Event, keep_alive: bool) -> Answer | Pending:
        settings, caller = self._services.settings, self._caller
        headers = chat_headers(caller.headers, self._translation.betas, caller.credentials, settings, caller.request_id)
        upstream = self._services.upstream
        self._answer = upstream.send("POST", "/v1/messages", headers, dump_json(body), caller.client, keep_alive)
        return self._answer

    def _accept(self, answer: Answer) -> None:
        """Take an answer whose status is known. Raises UpstreamRefusal."""
        self._record.upstream_answered(answer.status)
        if answer.status >= 400:
            raise read_error(answer.status, answer.body(), answer.headers)
        self.headers |= headers_without_keys(openai_headers(answer.headers), self._caller.credentials.values())

    def _begun(self, pending: Pending) -> Answer | Pending:
        answer = pending.answer()
        if answer is None:
            return pending
        self._answer = answer
        self._accept(answer)
        return answer

    def _turn(self) -> ContinuedTurn | None:
        """What joins the messages of a turn that the upstream may pause."""
        times = self._services.settings.continue_paused_turns
        return ContinuedTurn(times) if times and can_pause(self._translation.body) else None

    def _continued(self, turn: ContinuedTurn) -> Answer:
        self.close()
        answer = self._send(turn.next_request(self._translation.body), keep_alive=False)
        assert isinstance(answer, Answer)
        self._accept(answer)
        return answer

    def _recalled(self) -> dict[str, list[Event]]:
        ids = recallable_ids(self._chat_request.get("messages"))
        return self._services.thinking.recall(self._owner(), ids) if ids else {}

    def _owner(self) -> str:
        who = {**self._caller.credentials, "client": self._caller.identity}
        return owner_of(self._services.upstream.host, who)

    def _estimate(self, output: str) -> Usage:
        model = self._route.upstream_model
        return {
            "input_tokens": estimate_input_tokens(self._translation.body, model),
            "output_tokens": estimate_text_tokens(output, model),
        }

    def _finish(self) -> None:
        self._record.used(self._stream.usage)
        self._remember()

    def _remember(self) -> None:
        blocks_by_call = self._stream.thinking_by_call.items()
        thinking = {id: blocks for id, blocks in blocks_by_call if blocks and names_one_call(id)}
        if thinking:
            self._services.thinking.remember(self._owner(), thinking)
