"""One chat completion: translated, sent, asked again where the upstream taught us something, and answered."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from app.errors import ProxyError, UpstreamRefusal
from app.exchanges.learning import Learning
from app.exchanges.proxied import ProxiedExchange
from app.exchanges.sent_prompt import SentPrompt
from app.exchanges.upstream_events import AnswerEvents, buffered
from app.headers import chat_headers, listing, openai_headers
from app.json_body import dump_json
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.sse import DONE, KEEPALIVE, encode
from app.thinking.store import owner_of
from app.translate.answer_blocks import Deltas
from app.translate.call_keys import answer_keys, conversation_of, recalled
from app.translate.chat_answer import ChatAnswer
from app.translate.chat_stream import ChatStream
from app.translate.error_body import openai_error
from app.translate.message_events import message_events
from app.translate.paused_turn import ContinuedTurn, can_pause
from app.translate.request import Options, messages_request
from app.translate.response import chat_completion
from app.translate.thinking_forms import Remembered
from app.upstream import Answer, Pending

Event = dict[str, Any]


class ChatExchange(ProxiedExchange):
    """Serves one chat request: `completion()` or `frames()`."""

    _keepalive = KEEPALIVE

    def __init__(
        self,
        services: Services,
        caller: Caller,
        chat_request: dict[str, Any],
        route: Route,
        record: RequestRecord,
    ) -> None:
        super().__init__(services, caller, route, record)
        self._chat_request = chat_request
        self._offers_tools = bool(chat_request.get("tools") or chat_request.get("functions"))
        settings = services.settings
        self._options = Options(settings.default_max_tokens, settings.strict_params, settings.auto_cache_control)
        self._learning = Learning(services, route.upstream_model)
        self._prompt: SentPrompt
        self._betas: tuple[str, ...]
        self._chat_answer: ChatAnswer

    def completion(self) -> dict[str, Any]:
        """The whole chat completion. Raises InvalidRequest, UpstreamError, ClientGone."""
        self._translate()
        answer = self._whole(self._sent(keep_alive=False))
        deltas: Deltas = []
        turn = self._turn()
        while True:
            deltas += self._read(buffered(answer), turn)
            if turn is None or not turn.paused:
                break
            answer = self._whole(self._continued(turn, keep_alive=False))
        deltas += self._chat_answer.end()
        self._finish()
        return chat_completion(self._chat_answer, deltas, self._prompt.estimate)

    def _read(self, came: Event | list[Event], turn: ContinuedTurn | None) -> Deltas:
        if isinstance(came, list):
            events: Iterable[Event] = came
        elif turn is None:
            return self._chat_answer.read(came)
        else:
            events = message_events(came)
        return [delta for event in _joined(events, turn) for delta in self._chat_answer.feed(event)]

    def _frames(self) -> Iterator[bytes]:
        self._translate()
        answer = yield from self._begun(self._sent(keep_alive=True))
        turn, stream = self._turn(), ChatStream(self._chat_answer)
        if turn is None:
            self._forget_client_headers()
        while True:
            answered = AnswerEvents(answer)
            while not (answered.ended or self._chat_answer.ended):
                if turn is None:
                    self._prompt.release(self._chat_answer.usage)
                events = answered.read()
                if events is None:
                    yield KEEPALIVE
                    continue
                yield from _frame(_joined(events, turn), stream)
                # While the next ones are awaited, nobody holds the last.
                del events
                self._chat_answer.settle()
            if turn is None or not turn.paused:
                break
            answer = yield from self._begun(self._continued(turn, keep_alive=True))
        end = b"".join(map(encode, stream.end(self._prompt.estimate))) + DONE
        # Before the client knows of the end: its next request may reach another worker at once.
        self._finish()
        yield end
        answer.finish()

    def _sent(self, keep_alive: bool) -> Answer | Pending:
        return self._send_body(self._prompt.body, keep_alive)

    def _send_body(self, body: Event, keep_alive: bool) -> Answer | Pending:
        settings, caller = self._services.settings, self._caller
        headers = chat_headers(caller.headers, self._betas, caller.credentials, settings, caller.request_id)
        return self._send(headers, dump_json(body), keep_alive)

    def _passed_back(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return openai_headers(headers)

    def _error_event(self, error: ProxyError) -> bytes:
        return encode(openai_error(error)[1])

    def _abandon(self) -> None:
        # Some clients leave at the first tool call and come back with its result.
        self._remember()
        super()._abandon()

    def _settled(self, answer: Answer | Pending, keep_alive: bool) -> Answer | Pending:
        """`answer`; in place of a refusal that teaches what to leave out, the answer to the request without it."""
        if isinstance(answer, Pending):
            return answer
        refusal = self._refusal(answer)
        self._learning.answered(refusal)
        if refusal is None:
            self._take_headers(answer)
            # A stream lives long and its request may be large: it will not be translated again, and only the calls of
            # tools are remembered by what was said before them.
            self._chat_request = conversation_of(self._chat_request) if self._offers_tools else {}
            return answer
        self._leave_out(refusal)
        return self._settled(self._sent(keep_alive), keep_alive)

    def _leave_out(self, refusal: UpstreamRefusal) -> None:
        """Translate again, without what `refusal` names. Raises it if that changes nothing."""
        refused = self._prompt.body
        taught = self._learning.learns_from(refusal)
        if taught:
            self._translate()
        if not taught or self._prompt.body == refused:
            raise refusal

    def _translate(self) -> None:
        translation = messages_request(
            self._chat_request,
            self._route.requested_model,
            self._route.upstream_model,
            self._learning.profile,
            self._options,
            self._recalled(),
        )
        self._prompt = SentPrompt(translation.body, self._route.upstream_model, translation.answer.include_usage)
        self._betas = translation.betas
        told = {
            "x-upstream-model": [self._route.upstream_model],
            "x-proxy-ignored": translation.ignored,
            "x-proxy-adjusted": translation.adjusted,
            "x-proxy-learned": self._learning.names,
        }
        self.headers = {name: listing(items) for name, items in told.items() if items}
        self._chat_answer = ChatAnswer(translation.answer, f"chatcmpl-{os.urandom(16).hex()}", int(time.time()))

    def _turn(self) -> ContinuedTurn | None:
        """What joins the messages of a turn that the upstream may pause."""
        times = self._services.settings.continue_paused_turns
        return ContinuedTurn(times) if times and can_pause(self._prompt.body) else None

    def _continued(self, turn: ContinuedTurn, keep_alive: bool) -> Answer | Pending:
        self.close()
        return self._send_body(turn.next_request(self._prompt.body), keep_alive)

    def _recalled(self) -> Remembered:
        return recalled(self._chat_request, lambda keys: self._services.thinking.recall(self._owner(), keys))

    def _owner(self) -> str:
        who = {**self._caller.credentials, "client": self._caller.identity}
        return owner_of(self._services.upstream.host, who)

    def _finish(self) -> None:
        self._record.used(self._chat_answer.usage)
        self._remember()

    def _remember(self) -> None:
        if thinking := answer_keys(self._chat_request, self._chat_answer.thinking_by_call):
            self._services.thinking.remember(self._owner(), thinking)


def _joined(events: Iterable[Event], turn: ContinuedTurn | None) -> Iterable[Event]:
    """`events` as those of one answer."""
    return events if turn is None else chain.from_iterable(map(turn.feed, events))


def _frame(events: Iterable[Event], stream: ChatStream) -> Iterator[bytes]:
    """The chunks of one read, joined; those before an error event go out before it is raised."""
    chunks: list[bytes] = []
    try:
        for event in events:
            chunks += map(encode, stream.feed(event))
    finally:
        if chunks:
            yield b"".join(chunks)
