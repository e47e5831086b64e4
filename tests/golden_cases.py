"""Golden cases: one exchange seen from its four corners, read from tests/golden and played through the translator.

`tests/golden/<case>.json` holds, all but `about` optional:

    about              what the case shows, in one sentence
    host               the upstream's host, which with the model chooses the profile   (default api.anthropic.com)
    upstream_model     (default: the client's model)
    options            fields of app.translate.request.Options
    remembered         what is remembered: tool call id -> blocks
    client_request     what the client sent                                            (default DEFAULT_REQUEST)
    upstream_request   what goes upstream, or
    refused            {status, body}: the request is answered by an error instead
    betas, ignored, adjusted    what else the translation tells
    estimate           the Anthropic usage that a local count would give; without it, zeros stay zeros
    upstream_status    (default 200), with upstream_headers
    upstream_answer    the upstream's JSON body; a string stands for a body that is no JSON
    client_answer      the chat completion, or
    client_error       {status, body}: the answer became an error

Beside it, as raw bytes, `<case>.upstream.sse`: the upstream's stream, and `<case>.client.sse`: the client's. A case
with a stream alone plays it to a buffered client too (client_answer), one with a JSON body alone to a streaming client.
What takes more than one answer, or more of the application than its translator, is a golden exchange
(golden_exchanges.py). To add a case, write what went in and run `pytest tests/test_golden.py --update-golden`; then
review what came out.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from app.errors import ProxyError, UpstreamError
from app.exchanges.upstream_events import AnswerEvents, buffered
from app.profiles.profile import profile_for
from app.sse import DONE, encode
from app.translate.chat_answer import ChatAnswer, Estimate
from app.translate.chat_stream import ChatStream, Chunk
from app.translate.error_body import openai_error
from app.translate.request import Options, Translation, messages_request
from app.translate.response import chat_completion
from app.translate.upstream_error import read_error
from app.upstream import Answer
from tests.remembered import by_message

FOLDER = Path(__file__).parent / "golden"
ID = "chatcmpl-golden"
CREATED = 1_782_955_817
DEFAULT_REQUEST = {
    "model": "claude-sonnet-4-5",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
REQUEST_INPUTS = ("host", "upstream_model", "options", "remembered", "client_request")
REQUEST_RESULTS = ("upstream_request", "refused", "betas", "ignored", "adjusted")
ANSWER_INPUTS = ("estimate", "upstream_status", "upstream_headers", "upstream_answer")
ANSWER_RESULTS = ("client_answer", "client_error")
RESULTS = (*REQUEST_RESULTS, *ANSWER_RESULTS)
KEYS = ("about", *REQUEST_INPUTS, *REQUEST_RESULTS, *ANSWER_INPUTS, *ANSWER_RESULTS)


@dataclass
class GoldenCase:
    """One case as it stands on disk."""

    name: str
    corners: dict[str, Any]
    folder: Path = field(default=FOLDER, repr=False)

    @classmethod
    def read(cls, path: Path) -> "GoldenCase":
        corners = json.loads(path.read_text("utf-8"))
        unknown = set(corners) - set(KEYS)
        assert not unknown, f"{path.name} has unknown keys: {unknown}"
        return cls(path.stem, corners, path.parent)

    @property
    def has_request_half(self) -> bool:
        return "client_request" in self.corners

    @property
    def has_answer_half(self) -> bool:
        return "upstream_answer" in self.corners or self.upstream_sse is not None

    @property
    def client_request(self) -> dict[str, Any]:
        return self.corners.get("client_request", DEFAULT_REQUEST)

    @property
    def upstream_model(self) -> str:
        return self.corners.get("upstream_model", self.client_request["model"])

    @property
    def upstream_sse(self) -> bytes | None:
        return self._raw("upstream")

    @property
    def client_sse(self) -> bytes | None:
        return self._raw("client")

    def _raw(self, side: str) -> bytes | None:
        path = self.folder / f"{self.name}.{side}.sse"
        return path.read_bytes() if path.exists() else None

    @property
    def upstream_json(self) -> bytes | None:
        """The upstream's body without a stream."""
        if "upstream_answer" not in self.corners:
            return None
        answer = self.corners["upstream_answer"]
        return (answer if isinstance(answer, str) else json.dumps(answer)).encode()

    @property
    def buffered_body(self) -> bytes:
        """What a buffering client's request is answered with: JSON, or the stream that nobody asked for."""
        return self.upstream_sse or b"" if self.upstream_json is None else self.upstream_json

    @property
    def streamed_body(self) -> bytes:
        """What a streaming client's request is answered with: a stream, or JSON in its place."""
        return self.buffered_body if self.upstream_sse is None else self.upstream_sse

    def translation(self, **changes: Any) -> Translation:
        """Of the client's request, with `changes`. Raises InvalidRequest."""
        request = self.client_request | changes
        profile = profile_for(self.corners.get("host", "api.anthropic.com"), self.upstream_model)
        options = Options(**self.corners.get("options", {}))
        remembered = by_message(request["messages"], self.corners.get("remembered", {}))
        return messages_request(request, request["model"], self.upstream_model, profile, options, remembered)

    def chat_answer(self) -> ChatAnswer:
        return ChatAnswer(self.translation().answer, ID, CREATED)

    @property
    def estimate(self) -> Estimate | None:
        estimate = self.corners.get("estimate")
        return (lambda _: estimate) if estimate else None

    def upstream_says(self, pieces: Iterable[bytes]) -> Answer:
        """The upstream's answer, arriving in `pieces`."""
        status, headers = self.corners.get("upstream_status", 200), self.corners.get("upstream_headers", {})
        return recorded_answer(pieces, status, headers)

    def request_results(self, **changes: Any) -> dict[str, Any]:
        """upstream_request, betas, ignored and adjusted, or refused, of the client's request with `changes`."""
        try:
            translation = self.translation(**changes)
        except ProxyError as error:
            return {"refused": error_corner(error)}
        told = {"betas": translation.betas, "ignored": translation.ignored, "adjusted": translation.adjusted}
        return {"upstream_request": translation.body} | {name: list(value) for name, value in told.items() if value}

    def buffered_results(self) -> dict[str, Any]:
        """client_answer or client_error."""
        try:
            return {"client_answer": self.completion()}
        except UpstreamError as error:
            return {"client_error": error_corner(error)}

    def completion(self) -> dict[str, Any]:
        """The chat completion of a buffered exchange. Raises UpstreamError."""
        answer = self.upstream_says([self.buffered_body])
        if answer.status >= 400:
            raise read_error(answer.status, answer.body(), answer.headers)
        told, came = self.chat_answer(), buffered(answer)
        deltas = told.read(came) if isinstance(came, dict) else [delta for event in came for delta in told.feed(event)]
        return chat_completion(told, [*deltas, *told.end()], self.estimate)

    def chunks(self, pieces: Iterable[bytes]) -> Iterator[Chunk]:
        """The chunks of a streamed exchange whose bytes arrive in `pieces`. Raises UpstreamError."""
        answer = self.upstream_says(pieces)
        if answer.status >= 400:
            raise read_error(answer.status, answer.body(), answer.headers)
        stream = ChatStream(self.chat_answer())
        answered = AnswerEvents(answer)
        while not answered.ended:
            for event in answered.read() or ():
                yield from stream.feed(event)
            stream.answer.settle()
        yield from stream.end(self.estimate)

    def streamed(self, pieces: Iterable[bytes]) -> bytes | dict[str, Any]:
        """The client's stream; or {status, body} of an error that came before its first byte."""
        frames: list[bytes] = []
        try:
            frames += map(encode, self.chunks(pieces))
        except UpstreamError as error:
            if not frames:
                return error_corner(error)
            return b"".join([*frames, encode(openai_error(error)[1])])
        return b"".join([*frames, DONE])

    def rewrite(self) -> None:
        """Put what the translator gives today in place of what was expected."""
        corners = {key: value for key, value in self.corners.items() if key not in RESULTS}
        corners |= self.request_results() if self.has_request_half else {}
        corners |= self.buffered_results() if self.has_answer_half else {}
        ordered = {key: corners[key] for key in KEYS if key in corners}
        text = json.dumps(ordered, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")
        (self.folder / f"{self.name}.json").write_bytes(text + b"\n")
        if self.upstream_sse is not None:
            frames = self.streamed([self.upstream_sse])
            path = self.folder / f"{self.name}.client.sse"
            if isinstance(frames, bytes):
                path.write_bytes(frames)
            else:
                path.unlink(missing_ok=True)


class _Raw:
    """The part of a urllib3 response that an Answer reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read1(self, amount: int, decode_content: bool = True) -> bytes:
        return next((piece for piece in self._pieces if piece), b"")

    def close(self) -> None:
        self._pieces = iter(())


def recorded_answer(pieces: Iterable[bytes], status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An upstream answer that arrives in `pieces`, one for each read."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    response.raw = _Raw(pieces)
    return Answer(response, 1 << 30)


def error_corner(error: ProxyError) -> dict[str, Any]:
    """An error as a client of the chat completions API gets it."""
    status, body = openai_error(error)
    return {"status": status, "body": body}


def all_cases() -> list[GoldenCase]:
    """Every case of tests/golden, by name."""
    return [GoldenCase.read(path) for path in sorted(FOLDER.glob("*.json"))]
