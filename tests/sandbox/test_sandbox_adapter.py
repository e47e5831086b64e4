"""The sandbox behind requests: status, headers, laziness, time-outs and closing as with a socket."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import requests
import urllib3

from app.sandbox.adapter import URL_PREFIX, SandboxAdapter
from tests.sandbox.sse_reader import folded, parsed

URL = "sandbox:/v1/messages"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount(URL_PREFIX, SandboxAdapter())
        yield session


def body(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": text}], **fields}


def stream_of(session: requests.Session, text: str, **options: Any) -> requests.Response:
    return session.post(URL, json=body(text, stream=True), stream=True, **options)


def nested(depth: int) -> str:
    deep = '{"a":' * depth + "1" + "}" * depth
    return json.dumps(body("x", tools=["deep"])).replace('"deep"', deep)


def read_to_the_end(response: requests.Response) -> None:
    while response.raw.read1(65_536, decode_content=True):
        pass


def test_buffered_message(session: requests.Session) -> None:
    response = session.post(URL + "?beta=true", json=body("Hello"), timeout=(1, 1))
    assert (response.status_code, response.reason) == (200, "OK")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["request-id"].startswith("req_01")
    assert response.json()["content"][0]["type"] == "text"


def test_stream_is_the_buffered_message(session: requests.Session) -> None:
    streamed = stream_of(session, "Hello")
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert folded(parsed(streamed.content)) == session.post(URL, json=body("Hello")).json()


def test_read1_hands_over_one_event_at_a_time(session: requests.Session) -> None:
    response = stream_of(session, "sandbox:slow 0.05 sandbox:long 4")
    arrivals = []
    while piece := response.raw.read1(65_536, decode_content=True):
        arrivals.append((time.monotonic(), parsed(piece)))
    assert all(len(events) == 1 for _, events in arrivals)
    times = [at for at, [event] in arrivals if event["type"] == "content_block_delta"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 3
    assert min(gaps) > 0.04


def test_first_event_does_not_wait_for_the_deltas(session: requests.Session) -> None:
    started = time.monotonic()
    response = stream_of(session, "sandbox:slow 5")
    assert b"message_start" in response.raw.read1(65_536, decode_content=True)
    response.close()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("size", [1, 7, 4_096, None])
def test_every_way_of_reading_gives_the_same_bytes(session: requests.Session, size: int | None) -> None:
    whole = stream_of(session, "Hello").content
    assert b"".join(stream_of(session, "Hello").iter_content(size)) == whole


def test_small_reads_lose_nothing(session: requests.Session) -> None:
    response = stream_of(session, "Hello")
    pieces = []
    while piece := response.raw.read1(10, decode_content=True):
        assert len(piece) <= 10
        pieces.append(piece)
    assert b"".join(pieces) == stream_of(session, "Hello").content


def test_pause_beyond_the_read_timeout_of_a_stream(session: requests.Session) -> None:
    response = stream_of(session, "sandbox:slow 5", timeout=(1, 0.05))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        read_to_the_end(response)


def test_pause_beyond_the_read_timeout_of_a_buffered_answer(session: requests.Session) -> None:
    with pytest.raises(requests.ReadTimeout):
        session.post(URL, json=body("sandbox:slow 5"), timeout=0.05)


@pytest.mark.parametrize("ending", ["shutdown", "close"])
def test_another_thread_ends_a_waiting_read(session: requests.Session, ending: str) -> None:
    response = stream_of(session, "sandbox:slow 5")
    failures: list[Exception] = []

    def read() -> None:
        try:
            read_to_the_end(response)
        except urllib3.exceptions.ProtocolError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.1)
    getattr(response.raw, ending)()
    reader.join(2)
    assert not reader.is_alive()
    assert len(failures) == 1


def test_close_closes_the_generator(session: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def endless(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("content-type", "text/event-stream")])
        return frames()

    def frames() -> Iterator[bytes]:
        try:
            while True:
                yield b"event: ping\n\n"
        finally:
            closed.append(True)

    monkeypatch.setattr("app.sandbox.adapter.sandbox_app", endless)
    response = stream_of(session, "Hello")
    response.raw.read1(65_536, decode_content=True)
    assert closed == []
    response.close()
    assert closed == [True]
    assert response.raw.read1(65_536, decode_content=True) == b""


def test_chosen_error(session: requests.Session) -> None:
    response = stream_of(session, "sandbox:error 429")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert response.json()["request_id"] == response.headers["request-id"]


def test_overloaded_has_a_reason(session: requests.Session) -> None:
    response = session.post(URL, json=body("sandbox:error 529"))
    assert (response.status_code, response.reason) == (529, "Overloaded")


def test_mid_stream_error_of_a_buffered_answer_is_a_status(session: requests.Session) -> None:
    assert session.post(URL, json=body("sandbox:error midstream")).status_code == 529


def test_cut_buffered_answer_is_short(session: requests.Session) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        session.post(URL, json=body("sandbox:cut"))


def test_count_tokens_agrees_with_usage(session: requests.Session) -> None:
    countable = {key: value for key, value in body("Hello").items() if key != "max_tokens"}
    counted = session.post(URL + "/count_tokens", json=countable).json()
    assert counted == {"input_tokens": session.post(URL, json=body("Hello")).json()["usage"]["input_tokens"]}


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 400), ({"model": "m", "messages": [{"role": "user", "content": "sandbox:error 500"}]}, 500)],
)
def test_count_tokens_refuses(session: requests.Session, fields: dict[str, Any], status: int) -> None:
    assert session.post(URL + "/count_tokens", json=fields).status_code == status


def test_models(session: requests.Session) -> None:
    listed = session.get("sandbox:/v1/models").json()
    ids = [model["id"] for model in listed["data"]]
    assert "glm-4.5" in ids
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[0], ids[-1], False)
    assert session.get(f"sandbox:/v1/models/{ids[0]}").json() == listed["data"][0]


def test_models_by_the_page(session: requests.Session) -> None:
    first = session.get("sandbox:/v1/models?limit=1").json()
    assert (len(first["data"]), first["has_more"]) == (1, True)
    rest = session.get(f"sandbox:/v1/models?after_id={first['last_id']}").json()
    assert first["last_id"] not in [model["id"] for model in rest["data"]]
    before = session.get(f"sandbox:/v1/models?before_id={first['last_id']}").json()
    assert (before["data"], before["first_id"]) == ([], None)
    assert session.get("sandbox:/v1/models?limit=0").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "message"),
    [
        ("GET", "/v1/models/a%2Fb:c", None, 404, "model: a/b:c"),
        ("GET", "/v1/models/%C3%A9", None, 404, "model: é"),
        ("GET", "/v1/nothing", None, 404, "Not found"),
        ("GET", "/v1/messages", None, 405, "Method Not Allowed"),
        ("POST", "/v1/models", None, 405, "Method Not Allowed"),
        ("POST", "/v1/messages", b"{", 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", None, 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", '{"model": "é"}', 400, "messages: Field required"),
        ("POST", "/v1/messages", nested(300), 400, "The request body cannot be answered"),
        ("POST", "/v1/messages", nested(900), 400, "The request body cannot be answered"),
        ("POST", "/v1/messages/count_tokens", nested(900), 400, "The request body cannot be answered"),
        ("POST", "/v1/messages", nested(2_000), 400, "The request body is not valid JSON"),
        ("POST", "/v1/messages", iter([b"{", b"}"]), 400, "model: Field required"),
        ("POST", "/v1/messages", b" " * (32 * 1024 * 1024 + 1), 413, "Request exceeds the maximum size"),
    ],
)
def test_refusals_are_in_anthropics_shape(
    session: requests.Session, method: str, path: str, data: Any, status: int, message: str
) -> None:
    response = session.request(method, URL_PREFIX + path, data=data)
    assert response.status_code == status
    refusal = response.json()
    assert refusal["type"] == "error"
    assert message in refusal["error"]["message"]
    assert refusal["request_id"] == response.headers["request-id"]
