"""The request log: one line a request, on the right stream, with nothing in it that a client could use."""

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from app.logs import configure_logging
from app.request_log import _UNSAFE, RequestRecord, _Lines, escaped, json_line, text_line
from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, MESSAGES, STREAM, Proxy

HOSTILE = 'x" status=200\r\n2026-01-01T00:00:00.000Z INFO request id=forged \u2028\x1b[31m\\'
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO request( [a-z_]+=[!-<>-~]+)+")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    configure_logging("info", "text")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def fields(line: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in line.split(" ")[3:])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_one_line_a_request(
    proxy: Proxy, upstream: responses.RequestsMock, capsys: pytest.CaptureFixture[str], path: str, stream: bool
) -> None:
    upstream.post(MESSAGES, body=STREAM if stream else json.dumps(MESSAGE), content_type="application/json")
    client = proxy(MODEL_MAP_JSON='{"some-model": "served"}')
    body = CHAT_REQUEST | {"max_tokens": 5, "stream": stream}
    with client.post(f"{path}?beta=true", json=body, headers={"x-request-id": "id-1"}) as answer:
        assert answer.get_data()
    (line,) = lines(capsys)
    assert LINE.fullmatch(line)
    told = fields(line)
    assert (
        told.items()
        >= {
            "id": "id-1",
            "method": "POST",
            "route": path,
            "status": "200",
            "upstream_status": "200",
            "requested_model": "some-model",
            "upstream_model": "served",
            "input_tokens": "9",
            "output_tokens": "2",
            "ended_by": "proxy",
        }.items()
    )
    assert int(told["bytes_in"]) > 0
    assert int(told["bytes_out"]) > 0
    assert float(told["ms"]) >= float(told["first_byte_ms"]) >= 0
    assert "error" not in told


def test_errors_are_told_by_kind_and_side(
    proxy: Proxy, upstream: responses.RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.post(MESSAGES, json={"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, status=529)
    client = proxy()
    client.post("/v1/messages", json=CHAT_REQUEST).close()
    client.post("/v1/messages", json=[]).close()
    refused, invalid = map(fields, lines(capsys))
    assert (refused["status"], refused["upstream_status"]) == ("529", "529")
    assert (refused["error"], refused["ended_by"]) == ("UpstreamRefusal", "upstream")
    assert (invalid["status"], invalid["error"], invalid["ended_by"]) == ("400", "InvalidRequest", "proxy")


@pytest.mark.parametrize("format", ["text", "json"])
def test_nothing_secret_and_nothing_forged(
    proxy: Proxy, upstream: responses.RequestsMock, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    upstream.post(MESSAGES, json=MESSAGE)
    client = proxy(LOG_FORMAT=format, LOG_LEVEL="debug", SERVER_API_KEY="sk-server-secret")
    secret = {"authorization": "Bearer sk-client-secret", "x-request-id": 'forged" status=200'}
    body: dict[str, Any] = {"model": HOSTILE, "messages": [{"role": "user", "content": "my private words"}]}
    client.post("/v1/messages?key=sk-query-secret", json=body, headers=secret).close()
    client.post("/v1/chat/completions", json=body).close()
    client.get("/v1/%0d%0aINFO request id=forged", headers=secret).close()
    client.open("/v1/messages", method="FORGED").close()
    captured = capsys.readouterr()
    printed = captured.out.splitlines()
    assert len(printed) == 4
    for line in printed:
        assert line.isascii()
        assert LINE.fullmatch(line) if format == "text" else json.loads(line)["message"] == "request"
    for secret_text in ("secret", "private words", "authorization"):
        assert secret_text not in captured.out + captured.err
    for line in printed[:2]:
        if format == "text":
            assert fields(line)["requested_model"].startswith("x\\x22\\x20status\\x3d200\\x0d\\x0a2026")
        else:
            assert json.loads(line)["requested_model"] == HOSTILE


def test_notes_to_stdout_and_troubles_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "text")
    logger = logging.getLogger("anthropic_proxy.anything")
    logger.debug("unheard")
    logger.info("a note")
    logger.warning("a warning")
    try:
        raise ValueError("first\n2026-01-01T00:00:00.000Z ERROR forged")
    except ValueError:
        logger.exception("a failure\nforged")
    captured = capsys.readouterr()
    assert [line.split(" ", 2)[2] for line in captured.out.splitlines()] == ["a note"]
    starts = [line for line in captured.err.splitlines() if not line.startswith("    ")]
    assert [line.split(" ", 2)[1] for line in starts] == ["WARNING", "ERROR"]
    assert "Traceback" in captured.err


def test_levels_and_formats_can_be_set_again(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "json")
    logger = logging.getLogger("anthropic_proxy.anything")
    logger.info("unheard")
    logger.error("heard")
    captured = capsys.readouterr()
    assert captured.out == ""
    told = json.loads(captured.err)
    assert (told["level"], told["message"], told["logger"]) == ("error", "heard", "anthropic_proxy.anything")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])
    assert len(logging.getLogger("anthropic_proxy").handlers) == 2


_long = st.sampled_from(["m" * 150, "m" * 201])
_value = st.text(st.sampled_from('ab/ ="\\\n\x7fé\u2028\U0001f600'), max_size=12) | _long
_records = st.builds(
    RequestRecord,
    method=_value.filter(len),
    route=_value.filter(len),
    request_id=_value.filter(len),
    requested_model=_value,
    upstream_model=_value,
    status=st.integers(0, 599),
    upstream_status=st.sampled_from([0, 200]),
    upstream_ms=st.sampled_from([None, 0.0, 3.5]),
    first_byte_ms=st.sampled_from([None, 0.0, 3.5]),
    ms=st.floats(0, 1e6),
    input_tokens=st.integers(0, 2),
    output_tokens=st.integers(0, 2),
    bytes_in=st.integers(0, 2),
    bytes_out=st.integers(0, 2),
    ended_by=st.sampled_from(["proxy", "client"]),
    error=_value,
)


@given(_records)
def test_text_tells_what_json_tells(record: RequestRecord) -> None:
    told = {name: value for name, value in json.loads(json_line(record)).items() if name in record.fields()}
    assert told.keys() == record.fields().keys()
    assert text_line(record).split(" ")[3:] == [
        f"{name}={_UNSAFE.sub(escaped, str(value))}" for name, value in told.items()
    ]


def test_long_values_are_cut() -> None:
    record = RequestRecord("GET", "/", "id", requested_model="m" * 5000)
    assert len(text_line(record)) < 500


def test_a_log_that_nobody_reads_any_more_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        RequestRecord("GET", "/", "id").write()
        monkeypatch.undo()
        with contextlib.suppress(BrokenPipeError):
            gone.close()


def test_lines_are_text_until_somebody_says_otherwise() -> None:
    """A program of one's own may make a record without the app around it."""
    form = _Lines().form
    assert form is not None
    line = form(RequestRecord("GET", "/health", "a", status=200))
    assert " INFO request id=a method=GET route=/health status=200 " in line
