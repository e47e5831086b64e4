"""Every golden exchange, buffered and streamed; golden_exchanges.py tells how one is written."""

import json
from functools import cache
from typing import Any

import pytest

from tests.fake_upstream import profile_for, refusal
from tests.golden_exchanges import FOLDER, RESULTS, GoldenExchange, Played, all_exchanges
from tests.test_golden import sent_chunks, sent_objects

BUFFERED, STREAMED = False, True


@cache
def exchanges(update: bool) -> list[GoldenExchange]:
    """Every exchange; with `update`, what it expects is rewritten first."""
    for exchange in all_exchanges() if update else ():
        exchange.rewrite()
    return all_exchanges()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exchange" in metafunc.fixturenames:
        chosen = exchanges(metafunc.config.getoption("--update-golden"))
        metafunc.parametrize("exchange", chosen, ids=lambda exchange: exchange.name)


@cache
def _played(name: str, stream: bool) -> Played:
    return GoldenExchange.read(FOLDER / f"{name}.json").played(stream)


def test_what_comes_out_is_what_is_expected(exchange: GoldenExchange) -> None:
    whole, streamed = _played(exchange.name, BUFFERED), _played(exchange.name, STREAMED)
    expected = {key: value for key, value in exchange.corners.items() if key in RESULTS}
    assert exchange.results(whole, streamed) == expected
    if streamed.is_stream:
        assert streamed.body == exchange.stream_path.read_bytes()
    else:
        assert not exchange.stream_path.exists()


def test_every_answer_of_the_upstream_is_asked_for(exchange: GoldenExchange) -> None:
    for stream in (BUFFERED, STREAMED):
        asked, answers = _played(exchange.name, stream).requests, exchange.corners["upstream_answers"]
        assert len(asked) == len(answers)


def test_a_stream_asks_and_remembers_the_same(exchange: GoldenExchange) -> None:
    whole, streamed = _played(exchange.name, BUFFERED), _played(exchange.name, STREAMED)
    asked = [json.loads(body) for body, _ in whole.requests]
    assert [json.loads(body) for body, _ in streamed.requests] == [body | {"stream": True} for body in asked]
    assert streamed.remembers == whole.remembers


@pytest.mark.parametrize("stream", [BUFFERED, STREAMED], ids=["buffered", "streamed"])
def test_the_strict_upstream_takes_what_was_answered(exchange: GoldenExchange, stream: bool) -> None:
    asked = _played(exchange.name, stream).requests
    for (body, headers), answer in zip(asked, exchange.corners["upstream_answers"], strict=True):
        if answer.get("status", 200) >= 400:
            continue
        request = json.loads(body)
        profile = profile_for(request["model"], strict=True)
        assert profile is not None, f"no upstream serves {request['model']}"
        assert refusal(request, profile, {name.lower(): value for name, value in headers.items()}) is None


def test_passed_bytes_stay_as_they_are_but_for_the_model(exchange: GoldenExchange) -> None:
    if not exchange.passes_bytes:
        return
    for stream in (BUFFERED, STREAMED):
        (body, _), own = _played(exchange.name, stream).requests[0], exchange.client_body(stream)
        mapped = json.dumps(json.loads(body)["model"]).encode()
        assert body == own.replace(json.dumps(json.loads(own)["model"]).encode(), mapped, 1)


def test_a_chat_stream_adds_up_to_the_buffered_answer(exchange: GoldenExchange) -> None:
    whole, streamed = _played(exchange.name, BUFFERED), _played(exchange.name, STREAMED)
    if not streamed.is_stream or exchange.corners.get("path", "completions").endswith("messages"):
        return
    expected = json.loads(whole.body)
    if whole.status >= 400:
        assert sent_objects(streamed.body)[-1]["error"] == expected["error"]
        return
    message = expected["choices"][0]["message"]
    deltas = [choice["delta"] for chunk in sent_chunks(streamed.body) for choice in chunk["choices"]]
    assert _joined(deltas, "content") == _read(message["content"] or "")
    assert _joined(deltas, "reasoning_content") == message.get("reasoning_content", "")
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [call["id"] for call in calls if "id" in call] == [call["id"] for call in message.get("tool_calls", ())]


def _joined(deltas: list[dict[str, Any]], name: str) -> Any:
    return _read("".join(delta.get(name) or "" for delta in deltas))


def _read(text: str) -> Any:
    """JSON as what it says: streamed, it has the upstream's blanks."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_every_stream_belongs_to_an_exchange() -> None:
    streams = {path.name.split(".")[0] for path in FOLDER.glob("*.sse")}
    assert streams <= {exchange.name for exchange in all_exchanges()}
