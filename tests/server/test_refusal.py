"""A head that gunicorn refuses: the answer, and a client that is still sending when it is given."""

import json
from typing import Any

import pytest
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import IterUnreader

from app.server.refusal import Refusal, is_refusal, linger
from app.server.request import BoundedRequest

from .configuration import configuration
from .test_worker import Socket

CONFIG = configuration()
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HEADS = {
    "POST {} HTTP/9.1\r\n": (400, "HTTP/1.1"),
    "post {} HTTP/1.1\r\n": (400, "capitals"),
    "POST {}\r\n": (400, "'POST /v1/messages HTTP/1.1'"),
    "POST {} HTTP/1.1\nHost: a\n": (400, "CR and LF"),
    "POST {}?{long} HTTP/1.1\r\n": (414, "8190"),
    "POST {} HTTP/1.1\r\nX_Name: a\r\n": (400, "X_NAME"),
    "POST {} HTTP/1.1\r\nX-Name : a\r\n": (400, "space before the colon"),
    "POST {} HTTP/1.1\r\nAuthorization Bearer sk-secret\r\n": (400, "Name: value"),
    "POST {} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n": (400, "CONTENT-LENGTH"),
    "POST {} HTTP/1.1\r\nX-Name: a\r\n b\r\n": (400, "X-NAME goes on"),
    "POST {} HTTP/1.1\r\nX-Name: {long}\r\n": (431, "8190 bytes in one"),
    "POST {} HTTP/1.1\r\n{many}": (431, "100 headers"),
    "POST {} HTTP/1.1\r\nExpect: wonders\r\n": (417, "leave the header out"),
    "POST {} HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n": (501, "chunked"),
}
MANY = "".join(f"X-{number}: a\r\n" for number in range(101))


def refused(head: str, path: str) -> Any:
    """What the parser raises for a request."""
    text = head.replace("{}", path).replace("{long}", "a" * 8200).replace("{many}", MANY)
    with pytest.raises(ParseException) as error:
        BoundedRequest(CONFIG, IterUnreader([f"{text}\r\n".encode()]), ("192.0.2.7", 40_000))
    return error.value


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("head", HEADS)
def test_it_is_told_in_the_shape_of_the_api_that_was_asked(head: str, path: str) -> None:
    error = refused(head, path)
    assert is_refusal(error)
    told, _, body = Refusal(error, CONFIG).answer().partition(b"\r\n\r\n")
    status, words = HEADS[head]
    assert told.startswith(b"HTTP/1.1 %d " % status)
    fields = dict(line.split(": ") for line in told.decode().lower().split("\r\n")[1:])
    assert fields["connection"] == "close"
    assert fields["content-type"] == "application/json"
    assert int(fields["content-length"]) == len(body)
    answer = json.loads(body)
    assert words in answer["error"]["message"]
    assert "sk-secret" not in body.decode()
    if path == CHAT:
        assert set(answer) == {"error"}
        assert set(answer["error"]) == {"message", "type", "param", "code"}
    else:
        assert answer["type"] == "error"
        assert answer["request_id"] == fields["request-id"] == fields["x-request-id"]


def test_its_words_for_the_log_quote_nothing() -> None:
    assert Refusal(refused("POST {} HTTP/1.1\r\nsk-secret\r\n", CHAT), CONFIG).reason == "Invalid HTTP Header"


def test_what_a_client_still_sends_is_read_before_the_end() -> None:
    client = Socket(b"a" * 10, b"b" * 10)
    linger(client)
    assert client.pieces == []
    assert client.ended == ["half shut down"]
