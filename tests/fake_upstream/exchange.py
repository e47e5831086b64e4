"""One HTTP exchange with the fake, without sockets: a request in, a reply out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import models
from .conversation import estimated_tokens
from .defects import defective_events, defective_frames
from .error_shapes import ERROR_SHAPES
from .personalities import PERSONALITIES, Personality
from .profiles import LEGACY, Enforced, ModelProfile, profile_for
from .rendering import buffered, encoded, events, frames
from .rules import refusal
from .rules_top_level import Refusal, body_from_bytes, header_refusal, key_refusal
from .scenario import Author, script_of
from .script import Script
from .signatures import digest
from .terms import Terms

ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
ERROR_TEXTS = {
    429: "This request would exceed your organization's rate limit of 50 requests per minute.",
    500: "Internal server error",
    504: "Request timed out",
    529: "Overloaded",
}
RETRIED = (408, 409, 429)
RETRY_AFTER = "7"
RATE_LIMIT_RESET = "2026-11-22T12:00:00Z"
JSON, SSE = "application/json", "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Pace:
    """How the body is written: bytes a write, seconds before the head and between writes, how it ends."""

    split: int | None = None
    wait: float = 0.0
    slow: float = 0.0
    drops: bool = False
    chunked: bool = True


@dataclass(frozen=True)
class Reply:
    """An HTTP response; `pieces` are the body, one write each."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    pace: Pace = Pace()
    streamed: bool = False
    refusal: Refusal | None = None
    body: object = field(default=None, compare=False)
    """The request's parsed body, None when there was none or it was no JSON."""


@dataclass(frozen=True)
class Exchange:
    """What the fake is: how it answers, and whether lenient model families are judged strictly."""

    personality: Personality
    strict: bool = True

    @classmethod
    def of(cls, personality: str, *, strict: bool = True) -> "Exchange":
        """By the personality's name. Raises KeyError for an unknown one."""
        return cls(PERSONALITIES[personality], strict)

    def reply(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The reply to a request; what stands before the first `/v1` of the path is the base URL's."""
        url = urlsplit(target)
        at = url.path.find("/v1/")
        path = url.path[at:] if at >= 0 else url.path
        routes: dict[str, tuple[str, Callable[[], Reply]]] = {
            "/v1/messages": ("POST", lambda: self._messages(headers, raw)),
            "/v1/messages/count_tokens": ("POST", lambda: self._count(headers, raw)),
            "/v1/models": ("GET", lambda: self._models(headers, None, parse_qs(url.query))),
        }
        if path.startswith("/v1/models/"):
            routes[path] = ("GET", lambda: self._models(headers, path.removeprefix("/v1/models/"), {}))
        expected, answer = routes.get(path, (method, lambda: self._refused(_not_found("Not found"))))
        if method != expected:
            return self._refused(Refusal(405, "invalid_request_error", "Method Not Allowed"))
        return answer()

    def _profile(self, body: object) -> ModelProfile | Refusal:
        """The profile of the body's model; a body without one is judged as the oldest profile's."""
        model = body.get("model") if isinstance(body, dict) else None
        profile = profile_for(model, strict=self.strict) if isinstance(model, str) else LEGACY
        if profile is None:
            return _not_found(f"model: {model}")
        if self.personality.image_urls:
            return profile
        return replace(profile, image_urls=False, enforced=profile.enforced | Enforced.CAPABILITIES)

    def _judged(
        self, headers: Mapping[str, str], raw: bytes, *, counting: bool = False
    ) -> tuple[dict[str, Any], ModelProfile] | Reply:
        """(body, profile) of a legal request, or the reply that refuses it."""
        by_name = {name.lower(): value for name, value in headers.items()}
        early = key_refusal(by_name) if self.personality.checks_keys else None
        by_name.setdefault("x-api-key", "not asked for")
        early = early or (header_refusal(by_name, Terms(LEGACY)) if self.strict else None)
        body = early or body_from_bytes(raw)
        profile = body if isinstance(body, Refusal) else self._profile(body)
        found = profile if isinstance(profile, Refusal) else refusal(body, profile, by_name, counting=counting)
        if found is not None:
            return self._refused(found, None if isinstance(body, Refusal) else body)
        assert isinstance(body, dict)
        assert isinstance(profile, ModelProfile)
        return body, profile

    def _messages(self, headers: Mapping[str, str], raw: bytes) -> Reply:
        judged = self._judged(headers, raw)
        if isinstance(judged, Reply):
            return judged
        body, profile = judged
        asked = script_of(body)
        if "error" in asked:
            return self._error(asked, body)
        message = Author(body, profile, self.personality).message()
        streams = bool(body.get("stream"))
        if ("json-instead-of-sse" if streams else "sse-instead-of-json") in asked:
            streams = not streams
        pieces = self._stream(message, asked) if streams else [encoded(buffered(message, self.personality))]
        reply = self._answer(200, SSE if streams else JSON, pieces, body)
        return replace(_with_headers(reply, asked), pace=_pace(asked), streamed=streams)

    def _stream(self, message: dict[str, Any], asked: Script) -> list[bytes]:
        stream = defective_events(events(message, self.personality), asked)
        return defective_frames(frames(stream, self.personality), asked)

    def _error(self, asked: Script, body: dict[str, Any]) -> Reply:
        """The HTTP error that `[[error:429]]` asks for, in the personality's shape or the one asked for."""
        status = int(asked.number("error", 500))
        kind = ERROR_TYPES.get(status, "invalid_request_error")
        text = asked.text or ERROR_TEXTS.get(status, "Error")
        shape = ERROR_SHAPES.get(asked.markers.get("error-shape", ""))
        reply = self._refused(Refusal(status, kind, text), body)
        if shape is not None:
            content_type, content = shape(status, kind, text)
            reply = replace(reply, headers={**reply.headers, "content-type": content_type}, pieces=[content])
        sent = int(asked.number("error-status", status))
        return replace(_with_headers(reply, asked), status=sent, refusal=None, pace=_pace(asked))

    def _count(self, headers: Mapping[str, str], raw: bytes) -> Reply:
        if not self.personality.counts_tokens:
            return self._answer(404, "text/plain", [b"404 page not found"], None)
        judged = self._judged(headers, raw, counting=True)
        if isinstance(judged, Reply):
            return judged
        body, _ = judged
        return self._answer(200, JSON, [encoded({"input_tokens": estimated_tokens(body)})], body)

    def _models(self, headers: Mapping[str, str], model: str | None, query: Mapping[str, list[str]]) -> Reply:
        early = header_refusal(headers, Terms(LEGACY)) if self.personality.models == "anthropic" else None
        if early is not None or self.personality.models == "none":
            return self._refused(early or _not_found("Not found"))
        if self.personality.models == "openai":
            return self._answer(200, JSON, [encoded(models.openai_list())], None)
        found = models.page(query) if model is None else models.model(model)
        return (
            self._refused(_not_found(f"model: {model}"))
            if found is None
            else self._answer(200, JSON, [encoded(found)], None)
        )

    def _refused(self, found: Refusal, body: object = None) -> Reply:
        request_id = _request_id(body)
        content = self.personality.error_body(found.status, found.type, found.message, request_id)
        reply = self._answer(found.status, JSON, [encoded(content)], body)
        extra = {"retry-after": RETRY_AFTER} if found.status == 429 else {}
        if self.personality.has_rate_limit_headers:
            extra["x-should-retry"] = str(found.status in RETRIED or found.status >= 500).lower()
        return replace(reply, headers={**reply.headers, **extra}, refusal=found)

    def _answer(self, status: int, content_type: str, pieces: list[bytes], body: object) -> Reply:
        headers = {"content-type": content_type, self.personality.request_id_header: _request_id(body)}
        if content_type == SSE:
            headers["cache-control"] = "no-cache"
        if self.personality.has_rate_limit_headers:
            headers |= _rate_limits(remaining=0 if status == 429 else 49)
        return Reply(status, headers, pieces, body=body)


def _not_found(message: str) -> Refusal:
    return Refusal(404, "not_found_error", message)


def _request_id(body: object) -> str:
    return "req_01" + digest(json.dumps(body, sort_keys=True, default=str))[:22]


def _rate_limits(remaining: int) -> dict[str, str]:
    limits = {
        "requests": (50, remaining),
        "input-tokens": (400_000, 399_000),
        "output-tokens": (80_000, 79_000),
    }
    return {
        f"anthropic-ratelimit-{kind}-{name}": str(value)
        for kind, (limit, left) in limits.items()
        for name, value in (("limit", limit), ("remaining", left), ("reset", RATE_LIMIT_RESET))
    }


def _pace(asked: Script) -> Pace:
    return Pace(
        split=max(1, int(asked.number("split", 1))) if "split" in asked else None,
        wait=asked.number("wait", 1.0) if "wait" in asked else 0.0,
        slow=asked.number("slow", 0.1) if "slow" in asked else 0.0,
        drops="drop" in asked,
        chunked="close-delimited" not in asked,
    )


def _with_headers(reply: Reply, asked: Script) -> Reply:
    """The reply with the header that `[[header:name=value]]` asks for."""
    name, _, value = asked.markers.get("header", "").partition("=")
    return replace(reply, headers={**reply.headers, name: value}) if name else reply
