"""The sandbox as a WSGI callable, behind the in-process adapter and the port of its own alike."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from app.sandbox.answer import Answer, answer
from app.sandbox.api_error import ApiError, error_body, recorded_error
from app.sandbox.conversation import last_user_turn
from app.sandbox.directives import Ending, directives
from app.sandbox.models import model, model_list
from app.sandbox.request_check import check_countable_request
from app.sandbox.stream import DELTA_PREFIX, events
from app.sandbox.token_estimate import input_tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SLEEP_KEY = "sandbox.sleep"
"""Environ key of the function that waits some seconds; 0 lets others run. Missing: time.sleep."""

MAX_BODY_BYTES = 32 * 1024 * 1024
_FRAMES_BETWEEN_YIELDS = 64

Sleep = Callable[[float], object]
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class _Reply:
    body: Iterable[bytes]
    headers: Headers
    status: int = 200


def sandbox_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models and GET /v1/models/<id>.

    Every answer carries a `request-id`. A streamed body is a generator that yields one event at a time.
    """
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    body = b""
    try:
        body = _request_body(environ)
        with _refusing_unanswerable():
            reply = _routed(environ, path, body)
    except ApiError as error:
        reply = _json_reply(error_body(error, _request_id(path, body)), error.headers, error.status)
    names = {name for name, _ in reply.headers}
    headers = reply.headers if "request-id" in names else [("request-id", _request_id(path, body)), *reply.headers]
    start_response(f"{reply.status} {_reason(reply.status)}", headers)
    return reply.body


def _reason(status: int) -> str:
    return "Overloaded" if status == 529 else HTTPStatus(status).phrase


def _request_id(path: str, body: bytes) -> str:
    return "req_01" + hashlib.sha256(path.encode() + body).hexdigest()[:22]


def _request_body(environ: "WSGIEnvironment") -> bytes:
    if int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        raise recorded_error(413)
    body: bytes = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise recorded_error(413)
    return body


def _routed(environ: "WSGIEnvironment", path: str, body: bytes) -> _Reply:
    method = environ["REQUEST_METHOD"]
    model_id = path.removeprefix("/v1/models/") if path.startswith("/v1/models/") else None
    if model_id is None and path not in ("/v1/messages", "/v1/messages/count_tokens", "/v1/models"):
        raise ApiError(404, "Not found")
    if method != ("POST" if path.startswith("/v1/messages") else "GET"):
        raise ApiError(405, "Method Not Allowed")
    if model_id is not None:
        return _json_reply(model(model_id))
    if path == "/v1/models":
        return _json_reply(model_list(environ.get("QUERY_STRING", "")))
    if path == "/v1/messages/count_tokens":
        return _json_reply({"input_tokens": _counted(_parsed(body))})
    return _message_reply(_parsed(body), environ.get(SLEEP_KEY, time.sleep))


@contextmanager
def _refusing_unanswerable() -> Iterator[None]:
    # JSON that can be read but not written back: nested too deeply, lone surrogates, integers beyond 64 bits.
    try:
        yield
    except (RecursionError, orjson.JSONEncodeError) as error:
        raise ApiError(400, f"The request body cannot be answered: {error}") from error


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}") from error


def _counted(messages_request: Any) -> int:
    check_countable_request(messages_request)
    chosen = directives(last_user_turn(messages_request["messages"]).text)
    if chosen.error_status is not None:
        raise recorded_error(chosen.error_status)
    return input_tokens(messages_request)


def _message_reply(messages_request: Any, sleep: Sleep) -> _Reply:
    answered = answer(messages_request)
    if messages_request.get("stream"):
        headers = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("request-id", answered.request_id),
        ]
        return _Reply(_paced(events(answered), answered.pause, sleep), headers)
    return _buffered_reply(answered, sleep)


def _buffered_reply(answered: Answer, sleep: Sleep) -> _Reply:
    """The whole message, after one pause; a cut leaves half of it, an error in mid-stream refuses it."""
    if answered.ending is Ending.ERROR:
        raise recorded_error(529)
    if answered.pause:
        sleep(answered.pause)
    reply = _json_reply(answered.message, [("request-id", answered.request_id)])
    if answered.ending is Ending.COMPLETE:
        return reply
    whole = b"".join(reply.body)
    return _Reply([whole[: len(whole) // 2]], [*reply.headers, ("connection", "close")])


def _json_reply(body: Any, headers: Headers | None = None, status: int = 200) -> _Reply:
    encoded = orjson.dumps(body)
    content = [("content-type", "application/json"), ("content-length", str(len(encoded)))]
    return _Reply([encoded], content + (headers or []), status)


def _paced(frames: Iterator[bytes], pause: float, sleep: Sleep) -> Iterator[bytes]:
    """`frames` with `pause` seconds between two deltas; without a pause others still get their turn."""
    waiting = False
    for number, frame in enumerate(frames):
        if not pause:
            if number % _FRAMES_BETWEEN_YIELDS == 0:
                sleep(0)
        elif frame.startswith(DELTA_PREFIX):
            if waiting:
                sleep(pause)
            waiting = True
        yield frame
