"""Token counts: the upstream's where it has them, else a local estimate, marked as one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import UpstreamError
from app.headers import messages_headers, passed_back
from app.redaction import headers_without_keys
from app.routing import Route
from app.services import Caller
from app.settings import Settings
from app.tokens import estimate_input_tokens
from app.translate.error_body import openai_error
from app.translate.model_name import with_model
from app.translate.upstream_error import read_error
from app.upstream import Answer, Upstream

PATH = "/v1/messages/count_tokens"
ASK_AGAIN_SECONDS = 600.0
"""How long an upstream without token counting is not asked again."""
RECOVERY_SECONDS = 30.0
"""How long an upstream that did not answer a count is not asked for another."""


@dataclass(frozen=True)
class Count:
    """`body` and `headers` are the upstream's own; an estimate has neither."""

    input_tokens: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self, compatible: bool) -> bytes:
        """The answer's body: Anthropic's own, with OpenAI-style keys beside it if `compatible`; an estimate says so."""
        if self.body is not None and not compatible:
            return self.body
        content: dict[str, Any] = {"input_tokens": self.input_tokens, "proxy_estimate": True}
        if self.body is not None:
            content = orjson.loads(self.body)
        if compatible:
            content |= {"token_count": self.input_tokens, "input_token_count": self.input_tokens}
            content["usage"] = {"prompt_tokens": self.input_tokens, "total_tokens": self.input_tokens}
        return orjson.dumps(content)


class TokenCounter:
    """Counts for one upstream, which should be an impatient one; remembers for a while that it cannot count."""

    def __init__(self, upstream: Upstream, settings: Settings) -> None:
        self._upstream = upstream
        self._settings = settings
        self._ask_at = float("-inf")

    def count(self, caller: Caller, body: bytes, request: Mapping[str, Any], route: Route) -> Count:
        """The upstream's count, or an estimate: whatever goes wrong there, a count never fails a request."""
        counted = None
        if self._settings.forward_count_to_upstream and time.monotonic() >= self._ask_at:
            try:
                counted = self._asked(caller, body, request, route)
            except UpstreamError:
                self._ask_at = time.monotonic() + RECOVERY_SECONDS
        return counted or Count(estimate_input_tokens(request, route.upstream_model))

    def _asked(self, caller: Caller, body: bytes, request: Mapping[str, Any], route: Route) -> Count | None:
        if request.get("model") != route.upstream_model:
            body = with_model(body, route.upstream_model)
        headers = messages_headers(caller.headers, caller.credentials, self._settings, caller.request_id)
        answer = self._upstream.send("POST", PATH, headers, body, caller.client)
        assert isinstance(answer, Answer)
        counted = answer.body()
        if _has_no_counting(answer.status, counted):
            self._ask_at = time.monotonic() + ASK_AGAIN_SECONDS
        tokens = _tokens(counted) if answer.status == 200 else 0
        told = headers_without_keys(passed_back(answer.headers), caller.credentials.values())
        return Count(tokens, counted, told) if tokens else None


def _has_no_counting(status: int, body: bytes) -> bool:
    """Whether the path is unknown there; a 404 that is about the model is no such thing."""
    if status == 404:
        _, told = openai_error(read_error(status, body))
        return bool(told["error"]["code"] != "model_not_found")
    return status in {405, 501}


def _tokens(body: bytes) -> int:
    """The count in an upstream's answer; 0 if there is none, and some say 0 because they cannot count."""
    try:
        tokens = orjson.loads(body)["input_tokens"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 0
    return tokens if type(tokens) is int and tokens > 0 else 0
