"""Every fault of the upstream ends in time, in the client's own error shape, after one upstream request."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, product
from typing import Any

import pytest

from .answers import MEGABYTE, TEXT
from .conftest import READ_TIMEOUT, REDIRECTS
from .gunicorn_server import GunicornServer
from .raw_client import CHAT, KEY, KIND_IDS, KINDS, Client, Reply, ask, request_body, request_bytes
from .raw_upstream import RawUpstream
from .scripts import LEFTOVER

SLACK = 1.5
"""Seconds: two sweeps of half a second, and a busy machine."""
LONGER = {"bomb": 5, "endless": 5}
"""Seconds more for many megabytes each, four at once."""
_numbers = count()

BEFORE_THE_ANSWER = {
    "reset-before-head": 502,
    "close-before-head": 502,
    "reset-mid-head": 502,
    "garbage": 502,
    "switching-protocols": 502,
    "malformed-header": 502,
    "control-character": 502,
    "huge-head": 502,
    "two-lengths": 502,
    "brotli": 502,
    "no-gzip": 502,
    **{f"redirect-{status}": 502 for status in REDIRECTS},
}
SILENT = ["silence", "dribbled-head"]
IN_THE_ANSWER = {
    "reset-mid-body": 502,
    "close-mid-body": 502,
    "silence-mid-body": 504,
    "half-an-event": 502,
    "no-message-stop": 502,
    "length-too-long": 502,
    "length-too-short": 502,
    "bad-chunk-size": 502,
    "garbage-body": 502,
    "gzip-cut": 502,
    "bomb": 502,
}
REFUSED = {"refused-400": 400, "refused-401": 401, "refused-429": 429, "refused-500": 500, "refused-529": 529}
OPENAI_STATUSES = {529: 503}
"""OpenAI's API knows no 529."""
WHOLE = [
    "good",
    "early-hints",
    "early-hints-at-once",
    "processing",
    "byte-by-byte",
    "gzipped",
    "deflated",
    "until-close",
    "leftover",
    "late-leftover",
    "cookie",
    "close-after",
    "reset-after",
    "late-last-chunk",
]


def unique(script: str) -> str:
    return f"{script}#{next(_numbers)}"


def error_of(reply: Reply, path: str) -> dict[str, Any]:
    """The error object of a JSON answer, in the shape of the API of `path`."""
    assert reply.headers["content-type"] == "application/json"
    return checked_error(reply.json, path)


def checked_error(body: dict[str, Any], path: str) -> dict[str, Any]:
    error = body["error"]
    assert isinstance(error, dict)
    assert isinstance(error["message"], str)
    assert "127.0.0.1" not in error["message"]
    assert KEY not in json.dumps(body)
    if path == CHAT:
        assert set(body) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
    else:
        assert body["type"] == "error"
        assert set(error) >= {"type", "message"}
    return error


def events_of(reply: Reply) -> list[dict[str, Any]]:
    """The JSON of each event; `[DONE]` as an empty object."""
    assert reply.whole, "the stream itself must end as HTTP says"
    lines = [line[5:].strip() for line in reply.body.decode(errors="replace").split("\n") if line.startswith("data:")]
    return [{} if line == "[DONE]" else json.loads(line) for line in lines]


def text_of(reply: Reply, path: str, stream: bool) -> str:
    """The text of a whole answer."""
    assert reply.status == 200, reply.body[:500]
    if not stream:
        body = reply.json
        content = body["choices"][0]["message"]["content"] if path == CHAT else body["content"][0]["text"]
        return str(content)
    events = events_of(reply)
    if path == CHAT:
        assert events[-1] == {}, "[DONE] comes last"
        finish_reasons = [event["choices"][0].get("finish_reason") for event in events if event.get("choices")]
        assert [reason for reason in finish_reasons if reason] == ["stop"]
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event.get("choices"))
    assert events[-1]["type"] == "message_stop"
    return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")


def ask_all(server: GunicornServer, *scripts: str) -> list[tuple[str, bool, str, Reply]]:
    """(path, stream, model, reply) of both APIs, buffered and streamed, and each of `scripts`, asked at once."""

    def one(asked: tuple[str, tuple[str, bool]]) -> tuple[str, bool, str, Reply]:
        script, (path, stream) = asked
        model = unique(script)
        return path, stream, model, ask(server.port, path, model, stream)

    cases = list(product(scripts, KINDS))
    with ThreadPoolExecutor(len(cases)) as pool:
        return list(pool.map(one, cases))


def script_of(model: str) -> str:
    return model.partition("#")[0]


def assert_serves(server: GunicornServer, path: str, stream: bool) -> None:
    reply = ask(server.port, path, unique("good"), stream)
    assert text_of(reply, path, stream) == TEXT


@pytest.mark.parametrize("faults", [SILENT, *([fault] for fault in BEFORE_THE_ANSWER)], ids="-".join)
def test_a_fault_before_the_answer_has_a_status_of_its_own(
    server: GunicornServer, upstream: RawUpstream, elsewhere: RawUpstream, faults: list[str]
) -> None:
    for path, stream, model, reply in ask_all(server, *faults):
        assert reply.status == BEFORE_THE_ANSWER.get(script_of(model), 504), model
        error_of(reply, path)
        assert reply.seconds < READ_TIMEOUT + SLACK
        assert len(upstream.calls_of(model)) == 1
        assert_serves(server, path, stream)
    assert elsewhere.calls == []


@pytest.mark.parametrize("fault", IN_THE_ANSWER)
def test_a_fault_in_the_answer_is_an_error_and_never_a_short_answer(
    server: GunicornServer, upstream: RawUpstream, fault: str
) -> None:
    assert_an_error_and_never_a_short_answer(server, upstream, fault, IN_THE_ANSWER[fault])


def test_an_endless_answer_ends_at_its_limit(patient_server: GunicornServer, upstream: RawUpstream) -> None:
    assert_an_error_and_never_a_short_answer(patient_server, upstream, "endless", 502)


def assert_an_error_and_never_a_short_answer(
    server: GunicornServer, upstream: RawUpstream, fault: str, status: int
) -> None:
    for path, stream, model, reply in ask_all(server, fault):
        if stream and reply.status == 200:
            *before, last = events_of(reply)
            checked_error(last, path)
            assert {} not in before, "no [DONE]"
            assert all(event.get("type") != "message_stop" for event in before)
            choices: list[Any] = [event["choices"] for event in before if event.get("choices")]
            assert all(choice[0].get("finish_reason") is None for choice in choices)
        else:
            assert reply.status == status
            error_of(reply, path)
        assert reply.seconds < READ_TIMEOUT + SLACK + LONGER.get(fault, 0)
        assert len(upstream.calls_of(model)) == 1
        assert_serves(server, path, stream)


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("fault", REFUSED)
def test_a_refusal_is_told_as_it_was(
    server: GunicornServer, upstream: RawUpstream, fault: str, path: str, stream: bool
) -> None:
    model = unique(fault)
    reply = ask(server.port, path, model, stream)
    status = REFUSED[fault]
    assert reply.status == (OPENAI_STATUSES.get(status, status) if path == CHAT else status)
    assert error_of(reply, path)["message"].startswith("The upstream says no.")
    if fault == "refused-429":
        assert reply.headers["retry-after"] == "7"
    assert len(upstream.calls_of(model)) == 1


def test_a_refusal_keeps_its_status_whatever_is_wrong_with_its_body(server: GunicornServer) -> None:
    faults = ["and-cut", "and-reset", "and-silent", "in-bad-chunks", "in-brotli", "without-gzip", "at-length"]
    for path, stream, model, reply in ask_all(server, *(f"refused-{fault}" for fault in faults)):
        assert reply.status == 429, model
        error_of(reply, path)
        assert reply.headers["retry-after"] == "7"
        assert reply.seconds < READ_TIMEOUT + SLACK
        assert_serves(server, path, stream)


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_a_page_of_a_proxy_in_between_is_not_relayed(server: GunicornServer, path: str, stream: bool) -> None:
    reply = ask(server.port, path, unique("html-error"), stream)
    assert reply.status == 503
    error_of(reply, path)
    assert b"<html" not in reply.body
    assert b"10.1.2.3" not in reply.body


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("oddity", WHOLE)
def test_an_odd_but_whole_answer_is_served(
    server: GunicornServer, upstream: RawUpstream, oddity: str, path: str, stream: bool
) -> None:
    model = unique(oddity)
    reply = ask(server.port, path, model, stream)
    assert text_of(reply, path, stream) == TEXT
    assert "set-cookie" not in reply.headers
    for _ in range(2):
        time.sleep(0.15 if oddity in ("late-leftover", "close-after", "reset-after") else 0)
        after = unique("good")
        again = ask(server.port, path, after, stream)
        assert text_of(again, path, stream) == TEXT
        assert LEFTOVER.encode() not in again.body
        (call,) = upstream.calls_of(after)
        assert "cookie" not in call.headers
    assert len(upstream.calls_of(model)) == 1


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_an_event_of_20_megabytes_passes(server: GunicornServer, path: str, stream: bool) -> None:
    reply = ask(server.port, path, unique("big-event"), stream)
    assert text_of(reply, path, stream) == "y" * 20 * MEGABYTE
    assert_serves(server, path, stream)


@pytest.mark.parametrize("path", [path for path, stream in KINDS if stream])
def test_an_event_of_40_megabytes_is_an_error(server: GunicornServer, path: str) -> None:
    reply = ask(server.port, path, unique("huge-event"), True)
    checked_error(events_of(reply)[-1], path)
    assert_serves(server, path, True)


@pytest.mark.parametrize(("path", "stream"), KINDS, ids=KIND_IDS)
def test_an_answer_ends_when_its_message_does(server: GunicornServer, path: str, stream: bool) -> None:
    """The upstream's HTTP message need not end with it; a client must not wait for that."""
    reply = ask(server.port, path, unique("stays-open"), stream)
    assert text_of(reply, path, stream) == TEXT
    assert reply.seconds < 0.4


@pytest.mark.parametrize("path", [path for path, stream in KINDS if stream])
def test_events_without_chunks_are_passed_on_as_they_come(server: GunicornServer, path: str) -> None:
    with Client(server.port, timeout=1) as client:
        client.send(request_bytes(path, request_body(path, unique("talkative-until-close"), True)))
        client.until(b"more ")


def test_a_connection_whose_end_comes_late_is_used_again(server: GunicornServer, upstream: RawUpstream) -> None:
    first, second = unique("late-last-chunk"), unique("good")
    ask(server.port, CHAT, first, True)
    time.sleep(0.3)
    ask(server.port, CHAT, second, True)
    assert upstream.call_of(first).connection == upstream.call_of(second).connection


def test_idle_connections_that_the_upstream_closes_lose_no_request(
    server: GunicornServer, upstream: RawUpstream
) -> None:
    for pause in (0.0, 0.0, 0.05, 0.05):
        assert_serves(server, CHAT, False)
        upstream.close_connections()
        time.sleep(pause or 0.02)
        model = unique("good")
        assert ask(server.port, CHAT, model, False).status == 200
        assert len(upstream.calls_of(model)) == 1


@pytest.mark.parametrize("fault", ["close-before-head", "reset-before-head"])
def test_what_a_pooled_connection_took_is_not_sent_again(
    server: GunicornServer, upstream: RawUpstream, fault: str
) -> None:
    """The upstream may have worked, and billed, before it broke: the client decides whether to ask again."""
    for path, stream in KINDS:
        before, model = unique("good"), unique(fault)
        assert ask(server.port, path, before, stream).status == 200
        reply = ask(server.port, path, model, stream)
        assert reply.status == 502
        error_of(reply, path)
        (call,) = upstream.calls_of(model)
        assert call.connection == upstream.call_of(before).connection


def test_idle_connections_that_were_closed_are_let_go(server: GunicornServer, upstream: RawUpstream) -> None:
    clients = [Client(server.port) for _ in range(40)]
    for client in clients:
        client.send(request_bytes(CHAT, request_body(CHAT, unique("late-last-chunk"), True)))
    for client in clients:
        assert client.reply().status == 200
        client.sock.close()
    upstream.close_connections()

    def half_closed() -> int:
        return sum(connection.status == "CLOSE_WAIT" for connection in server.worker.net_connections())

    server.wait_for(lambda: half_closed() == 0, seconds=8)
