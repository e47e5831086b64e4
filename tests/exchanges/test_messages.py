"""A passed-through stream by itself: what waits for the first event, what is noted, what ends it and how."""

import json
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from app.errors import UpstreamBroken, UpstreamRefusal
from app.exchanges.messages import MessagesExchange
from app.metrics.metrics import NoMetrics
from app.profiles.lessons import Lessons
from app.request_log import RequestRecord
from app.routing import Route
from app.services import Caller, Services
from app.settings import Settings
from app.sse import PING, encode, encode_event
from app.thinking.store import NoStore
from app.transport.patience import Client
from app.upstream import Answer

Event = dict[str, Any]
KEY = "sk-upstream-0123456789"
ROUTE = Route("m", "m")
EMPTY = {"id": "msg", "type": "message", "role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None}
NOTE = b": note\n\n"


def start(**usage: int) -> Event:
    return {"type": "message_start", "message": EMPTY | {"model": "m", "usage": {"output_tokens": 1} | usage}}


START = start(input_tokens=7)
BLOCK: Event = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA: Event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
BLOCK_STOP: Event = {"type": "content_block_stop", "index": 0}
REASON: Event = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
STOP: Event = {"type": "message_stop"}
ANSWER = (START, BLOCK, DELTA, BLOCK_STOP, REASON, STOP)


def written(*events: Event) -> bytes:
    return b"".join(map(encode_event, events))


def error(message: str) -> Event:
    return {"type": "error", "error": {"type": "overloaded_error", "message": message}}


class Passing:
    """One exchange whose upstream answers with `reads`; None is silence."""

    def __init__(self, *reads: bytes | None, **settings: Any) -> None:
        self._reads = iter(reads)
        self.record = RequestRecord("POST", "/v1/messages", "req")
        upstream: Any = SimpleNamespace(send=self._send, host="upstream")
        services = Services(Settings(**settings), upstream, Lessons(), NoStore(), NoMetrics())
        request = {"model": "m", "messages": [{"role": "user", "content": "word " * 50}]}
        caller = Caller({}, {"x-api-key": KEY}, Client(), "req")
        self._exchange = MessagesExchange(services, caller, json.dumps(request).encode(), request, ROUTE, self.record)

    def _send(self, *_: object) -> Answer:
        raw = SimpleNamespace(read1=lambda *_, **__: next(self._reads, b""), close=lambda: None)
        response: Any = SimpleNamespace(raw=raw, status_code=200, headers={"content-type": "text/event-stream"})
        return Answer(response, 1_000_000)

    def frames(self) -> list[bytes]:
        return [frame for frame in self._exchange.frames() if frame]

    def told(self) -> bytes:
        return b"".join(self.frames())

    def message(self) -> bytes:
        return self._exchange.message()


def test_a_read_is_a_frame_and_usage_is_noted() -> None:
    reads = [written(START, BLOCK), written(DELTA, DELTA), written(BLOCK_STOP, REASON, STOP)]
    passing = Passing(*reads)
    assert passing.frames() == reads
    assert (passing.record.input_tokens, passing.record.output_tokens) == (7, 5)
    assert (passing.record.ended_by, passing.record.error) == ("proxy", "")


@pytest.mark.parametrize("usage", ["none", ["none"], 1.5, True, None])
def test_a_message_whose_usage_is_no_object_counts_nothing(usage: Any) -> None:
    body = json.dumps(EMPTY | {"model": "m", "stop_reason": "end_turn", "usage": usage}).encode()
    whole, streamed = Passing(body), Passing(body)
    message = json.loads(whole.message())
    assert message == json.loads(body) | {"usage": {"input_tokens": 0, "output_tokens": 0}}
    assert streamed.told().endswith(written(STOP))
    assert (whole.record.input_tokens, streamed.record.output_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"a\tb\x01", "a\tb\x01"),
        (b"half \\ud83d", "half \ufffd"),
        (b'", "more": NaN, "and": "', ""),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_body_that_not_every_client_could_read_is_mended(written: bytes, told: str, mark: bytes) -> None:
    block = b'{"type": "text", "text": "' + written + b'"}'
    body = json.dumps(EMPTY | {"model": "m", "stop_reason": "end_turn"}).encode().replace(b"[]", b"[" + block + b"]")
    message = orjson.loads(Passing(mark + body).message())
    assert message["content"][0]["text"] == told
    assert message["content"][0].get("more") is None


def test_comments_and_pings_wait_for_an_event_that_tells_something() -> None:
    passing = Passing(NOTE, PING, written(START), NOTE, written(*ANSWER[1:]))
    assert passing.frames() == [NOTE + PING + written(START), NOTE, written(*ANSWER[1:])]


def test_a_silent_upstream_is_a_ping_for_the_client() -> None:
    assert Passing(None, written(START), None, written(*ANSWER[1:])).frames() == [
        PING,
        written(START),
        PING,
        written(*ANSWER[1:]),
    ]


def test_nothing_follows_the_end() -> None:
    assert Passing(written(*ANSWER, DELTA) + NOTE, written(DELTA)).told() == written(*ANSWER)
    assert Passing(written(START, error("m"), *ANSWER[1:])).told() == written(START, error("m"))


@pytest.mark.parametrize("before", [[], [NOTE], [PING], [NOTE, PING]])
def test_an_error_before_any_event_is_raised(before: list[bytes]) -> None:
    with pytest.raises(UpstreamRefusal, match="m") as raised:
        Passing(*before, written(error("m"))).frames()
    assert raised.value.status == 529


def test_an_error_behind_a_ping_of_the_proxys_own_is_an_event() -> None:
    ping, told = Passing(None, written(error("m"))).frames()
    assert ping == PING
    assert told.startswith(b"event: error\n")


def test_an_error_later_is_noted_and_passes_as_it_came() -> None:
    odd = b'event: error\ndata: {"error":{"type":"overloaded_error","message":"m"},"type":"error"}\n\n'
    passing = Passing(written(START), odd)
    assert passing.told() == written(START) + odd
    assert (passing.record.ended_by, passing.record.error) == ("upstream", "UpstreamRefusal")


@pytest.mark.parametrize(
    "frame",
    [
        encode_event(error(f"bad key {KEY}")),
        encode_event(error(f"bad key {KEY}")).replace(b"sk-", b"sk\\u002d"),
        encode(DELTA).rstrip() + encode(error(f"bad key {KEY}")),
        encode({"type": "odd name"}).rstrip() + encode(error(f"bad key {KEY}")),
    ],
)
def test_no_error_quotes_a_key_however_it_is_written(frame: bytes) -> None:
    told = Passing(written(START, BLOCK) + frame).told()
    assert KEY.encode() not in told.replace(b"\\u002d", b"-")
    assert b"bad key [redacted]" in told


def test_a_stream_cut_before_its_stop_reason_ends_with_an_error() -> None:
    passing = Passing(written(START, BLOCK), written(DELTA)[:-20])
    *_, last = passing.frames()
    assert last.startswith(b"event: error\n")
    assert passing.record.error == "UpstreamBroken"


def test_a_delta_that_cannot_be_read_ends_the_stream_with_an_error() -> None:
    passing = Passing(written(START, BLOCK), written(DELTA).replace(b"}}", b",}}"), written(*ANSWER[3:]))
    *before, last = passing.frames()
    assert b"".join(before) == written(START, BLOCK)
    assert json.loads(last.split(b"data: ")[1])["error"]["type"] == "api_error"
    assert passing.record.error


def test_a_stream_cut_behind_its_stop_reason_is_ended_for_it() -> None:
    assert Passing(written(*ANSWER[:-1])).told() == written(*ANSWER)


def test_the_blank_line_behind_the_last_event_may_be_missing() -> None:
    assert Passing(written(*ANSWER).rstrip()).told() == written(*ANSWER)
    assert Passing(written(*ANSWER[:-1]) + b": no event").told() == written(*ANSWER)


def test_a_stream_that_tells_nothing_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        Passing(NOTE, PING).frames()


@pytest.mark.parametrize(("seeded", "counted"), [(True, 0), (True, 7), (False, 0)])
def test_an_input_of_zero_tokens_is_estimated_if_asked_for(seeded: bool, counted: int) -> None:
    first, *rest = Passing(
        written(start(input_tokens=counted)), written(*ANSWER[1:]), seed_usage_estimate=seeded
    ).frames()
    told = json.loads(first.split(b"data: ")[1])["message"]
    is_estimated = seeded and not counted
    assert (told["usage"]["input_tokens"] > 40) is is_estimated
    assert is_estimated or first == written(start(input_tokens=counted))
    assert rest == [written(*ANSWER[1:])]
