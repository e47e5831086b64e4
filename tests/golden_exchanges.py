"""Golden exchanges: one request through the whole application, buffered and streamed, read from tests/golden/exchanges.

What takes more than one answer of the upstream, or more than the translator, is a file `<exchange>.json` there; all but
`client_request` and `upstream_answers` may be left out:

    about               what the exchange shows, in one sentence
    settings            environment key -> value              (default DEFAULT_SETTINGS)
    path                (default /v1/chat/completions)
    headers             the client's
    remembered          what the thinking store holds: key of app/translate/call_keys.py -> blocks
    client_request      without `stream`; a string stands for the bytes of the body
    personality         who writes the streams, a name of tests/fake_upstream/personalities.py  (default anthropic)
    upstream_answers    in order, each {status (default 200), headers, body, stream}. A `body` with `content` is a
                        message, to which MESSAGE adds what it leaves out, and is streamed to a streaming request; any
                        other is sent as it is, a string as those bytes; `stream`: what a streaming request gets instead
    upstream_requests   what the upstream got, in order and without `stream`; strings where client_request is one
    buffered, streamed  {status, headers (those of TOLD), body}; a stream's body is the file `<exchange>.client.sse`
    remembers           what the thinking store holds afterwards beyond `remembered`

Ids and times that the proxy makes up read `golden` and 0. To add an exchange, write what went in and run
`pytest tests/test_golden_exchanges.py --update-golden`; then review what came out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import responses

from app import create_app
from app.current import EXTENSION
from app.settings import Settings
from tests.fake_upstream.personalities import PERSONALITIES
from tests.fake_upstream.rendering import buffered, encoded, events, frames

FOLDER = Path(__file__).parent / "golden" / "exchanges"
DEFAULT_SETTINGS = {"UPSTREAM_BASE": "https://api.anthropic.com", "THINKING_STORE": "memory", "LOG_LEVEL": "critical"}
MESSAGE = {
    "id": "msg_01Golden",
    "type": "message",
    "role": "assistant",
    "model": "served-model",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "stop_details": None,
}
USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5}
CLIENT = "203.0.113.7"
KEY = "sk-golden-client"
TOLD = re.compile(r"content-type|retry-after|request-id|x-should-retry|x-(proxy|upstream|ratelimit)-.*|anthropic-.*")
INPUTS = ("about", "settings", "path", "headers", "remembered", "client_request", "personality", "upstream_answers")
RESULTS = ("upstream_requests", "buffered", "streamed", "remembers")
_MADE_UP = (
    (re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), b"golden"),
    (re.compile(rb'"created":\d+'), b'"created":0'),
)


@dataclass
class _Store:
    """A thinking store of one client."""

    held: dict[str, Any]
    learned: dict[str, Any] = field(default_factory=dict)

    def remember(self, owner: str, blocks_by_call: Mapping[str, Any]) -> None:
        self.learned |= json.loads(json.dumps(blocks_by_call))

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Any]:
        return {id: self.held[id] for id in call_ids if id in self.held}


@dataclass(frozen=True)
class Played:
    """One play of an exchange: what the upstream got, with its headers, and what the client got."""

    requests: list[tuple[Any, dict[str, str]]]
    status: int
    headers: dict[str, str]
    body: bytes
    remembers: dict[str, Any]

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    def corner(self) -> dict[str, Any]:
        """As `buffered` and `streamed` have it."""
        told = {"status": self.status, "headers": self.headers}
        return told if self.is_stream else told | {"body": json.loads(self.body)}


@dataclass
class GoldenExchange:
    """One exchange as it stands on disk."""

    name: str
    corners: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "GoldenExchange":
        corners = json.loads(path.read_text("utf-8"))
        unknown = set(corners) - {*INPUTS, *RESULTS}
        assert not unknown, f"{path.name} has unknown keys: {unknown}"
        return cls(path.stem, corners)

    @property
    def stream_path(self) -> Path:
        return FOLDER / f"{self.name}.client.sse"

    @property
    def passes_bytes(self) -> bool:
        """Whether the client's body is given as bytes, and the upstream's requests are too."""
        return isinstance(self.corners["client_request"], str)

    def client_body(self, stream: bool) -> bytes:
        request = self.corners["client_request"]
        if isinstance(request, str):
            return (request.rstrip().removesuffix("}") + ', "stream": true}' if stream else request).encode()
        return encoded(request | ({"stream": True} if stream else {}))

    def played(self, stream: bool) -> Played:
        """The exchange in one of the two modes, by an application of its own."""
        app = create_app(Settings.from_env(DEFAULT_SETTINGS | self.corners.get("settings", {})))
        services = app.extensions[EXTENSION]
        path = self.corners.get("path", "/v1/chat/completions")
        key = {"authorization": f"Bearer {KEY}"} if path.endswith("completions") else {"x-api-key": KEY}
        store = _Store(self.corners.get("remembered", {}))
        app.extensions[EXTENSION] = replace(services, thinking=store)
        with responses.RequestsMock(assert_all_requests_are_fired=False) as upstream:
            self._announce(upstream, f"{services.settings.upstream_base}/v1/messages", stream)
            answer = app.test_client().post(
                path,
                data=self.client_body(stream),
                headers={"content-type": "application/json", **key, **self.corners.get("headers", {})},
                environ_base={"REMOTE_ADDR": CLIENT},
            )
            body = answer.data
            requests = [(call.request.body, dict(call.request.headers)) for call in upstream.calls]
        headers = {name.lower(): value for name, value in answer.headers.items() if TOLD.fullmatch(name.lower())}
        told = {name: _without_chance(value.encode()).decode() for name, value in sorted(headers.items())}
        return Played(requests, answer.status_code, told, _without_chance(body), store.learned)

    def _announce(self, upstream: responses.RequestsMock, url: str, stream: bool) -> None:
        for answer in self.corners["upstream_answers"]:
            body, content_type = self._answer_body(answer, stream)
            headers = {"content-type": content_type} | answer.get("headers", {})
            content_type = headers.pop("content-type")
            status = answer.get("status", 200)
            upstream.post(url, status=status, headers=headers, body=body, content_type=content_type)

    def _answer_body(self, answer: dict[str, Any], stream: bool) -> tuple[bytes, str]:
        if stream and "stream" in answer:
            return answer["stream"].encode(), "text/event-stream"
        body = answer["body"]
        if isinstance(body, str) or "content" not in body:
            return (body.encode() if isinstance(body, str) else encoded(body)), "application/json"
        personality = PERSONALITIES[self.corners.get("personality", "anthropic")]
        message = MESSAGE | body | {"usage": USAGE | body.get("usage", {})}
        if stream:
            return b"".join(frames(events(message, personality), personality)), "text/event-stream"
        return encoded(buffered(message, personality)), "application/json"

    def results(self, whole: Played, streamed: Played) -> dict[str, Any]:
        """What an exchange expects, of its two plays."""
        bodies = [body.decode() for body, _ in whole.requests]
        found: dict[str, Any] = {"upstream_requests": bodies if self.passes_bytes else [*map(json.loads, bodies)]}
        found |= {"buffered": whole.corner(), "streamed": streamed.corner()}
        return found | ({"remembers": whole.remembers} if whole.remembers else {})

    def rewrite(self) -> None:
        """Put what the application gives today in place of what was expected."""
        whole, streamed = self.played(stream=False), self.played(stream=True)
        kept = {key: value for key, value in self.corners.items() if key in INPUTS}
        corners = kept | self.results(whole, streamed)
        ordered = {key: corners[key] for key in (*INPUTS, *RESULTS) if key in corners}
        text = json.dumps(ordered, ensure_ascii=False, indent=2)
        (FOLDER / f"{self.name}.json").write_text(text + "\n", "utf-8")
        if streamed.is_stream:
            self.stream_path.write_bytes(streamed.body)
        else:
            self.stream_path.unlink(missing_ok=True)


def _without_chance(text: bytes) -> bytes:
    for made_up, constant in _MADE_UP:
        text = made_up.sub(constant, text)
    return text


def all_exchanges() -> list[GoldenExchange]:
    """Every exchange of tests/golden/exchanges, by name."""
    return [GoldenExchange.read(path) for path in sorted(FOLDER.glob("*.json"))]
