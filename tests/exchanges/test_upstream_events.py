"""A stream, a JSON message, or something else: what an upstream's answer is read as."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from app.errors import UpstreamBroken, UpstreamRefusal
from app.exchanges.upstream_events import AnswerEvents, buffered, is_stream, loads, message_of
from app.upstream import Answer
from tests.golden_cases import recorded_answer

MESSAGE = {"type": "message", "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}
BODY = json.dumps(MESSAGE).encode()
STREAM = b'event: message_start\ndata: {"type":"message_start","message":{}}\n\ndata: {"type":"message_stop"}\n\n'


def reads(answer: Answer) -> Iterator[list[dict[str, Any]] | None]:
    answered = AnswerEvents(answer)
    while not answered.ended:
        yield answered.read()


def kinds(answer: Answer) -> list[str]:
    return [event["type"] for events in reads(answer) for event in events or ()]


WHOLE = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("start", "content_type", "expected"),
    [
        (b"event: message_start", "application/json", True),
        (b"data: {", "", True),
        (b": comment", "", True),
        (b"\xef\xbb\xbf\r\nid: 1", "application/json", True),
        (b'{"type"', "text/event-stream", False),
        (b'\xef\xbb\xbf\n {"type"', "text/event-stream", False),
        (b"[1]", "", False),
        (b"<html>", "text/html", False),
        (b"", "text/event-stream", True),
        (b"", "application/json", False),
    ],
)
def test_the_bytes_decide_and_not_the_label(start: bytes, content_type: str, expected: bool) -> None:
    assert is_stream(recorded_answer([], headers={"content-type": content_type}), start) is expected


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", ""])
@pytest.mark.parametrize("blanks", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [1, 3, 4096])
def test_either_form_is_read_whatever_was_asked_for(content_type: str, blanks: bytes, size: int) -> None:
    for body, expected in ((BODY, WHOLE), (STREAM, ["message_start", "message_stop"])):
        body = blanks + body
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        headers = {"content-type": content_type}
        assert kinds(recorded_answer(pieces, headers=headers)) == expected
        came = buffered(recorded_answer(pieces, headers=headers))
        assert came == MESSAGE if expected is WHOLE else [event["type"] for event in came] == expected


def test_an_event_is_told_before_the_next_one_has_come() -> None:
    events = reads(recorded_answer([STREAM[:70], STREAM[70:]]))
    assert [event["type"] for event in next(events) or ()] == ["message_start"]


@pytest.mark.parametrize("body", [BODY, STREAM])
def test_the_client_is_kept_alive_while_the_upstream_is_silent(body: bytes) -> None:
    class Silent:
        def __init__(self) -> None:
            self._reads: Iterator[bytes | None] = iter([None, body[:20], None, body[20:], b""])

        def read1(self, amount: int, decode_content: bool = True) -> bytes | None:
            return next(self._reads)

        def close(self) -> None:
            pass

    response = requests.Response()
    response.raw = Silent()
    assert list(reads(Answer(response, 1 << 20))).count(None) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"type":"mess', "not valid JSON"),
        (b"<html>Welcome</html>", "not valid JSON"),
        (b"[" * 5000 + b"]" * 5000, "not valid JSON"),
        (b"[1]", "no message"),
        (b'{"object":"chat.completion","choices":[]}', "no message"),
        (b'{"content":"text"}', "no message"),
    ],
)
def test_what_is_no_message_is_a_broken_upstream(body: bytes, message: str) -> None:
    with pytest.raises(UpstreamBroken, match=message):
        message_of(body, recorded_answer([]))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, 529),
        ({"error": {"code": "1302", "message": "m"}}, 429),
        ({"code": 401, "msg": "m", "success": False}, 401),
        ({"content": None, "base_resp": {"status_code": 1004, "status_msg": "m"}}, 401),
        ({"type": "message", "content": [], "base_resp": {"status_code": 1002, "status_msg": "m"}}, 429),
    ],
)
def test_an_error_sent_with_status_200_is_an_error(body: dict[str, Any], status: int) -> None:
    with pytest.raises(UpstreamRefusal, match="m") as caught:
        message_of(json.dumps(body).encode(), recorded_answer([]))
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        MESSAGE,
        MESSAGE | {"base_resp": {"status_code": 0, "status_msg": "success"}},
        MESSAGE | {"content": []},
        {"type": "message", "stop_reason": "end_turn"},
        {"type": "message", "content": None, "stop_reason": "refusal"},
    ],
)
def test_a_message_is_a_message_with_or_without_content(body: dict[str, Any]) -> None:
    assert message_of(json.dumps(body).encode(), recorded_answer([])) == body


def test_half_surrogate_pairs_and_bad_utf_8_are_mended() -> None:
    assert loads(b'{"a": "\\ud83d\\udc4b \\ud83d"}')[0] == {"a": "👋 \ufffd"}
    assert loads(b'{"a": "\xff"}')[0] == {"a": "\ufffd"}


def test_what_cannot_be_mended_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        loads(b'{"a": NaN, "b": ' + b"9" * 60 + b"}")
