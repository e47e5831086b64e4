"""Token counts: the upstream's where it has them, else a local estimate, marked as one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from app.errors import UpstreamError
from app.headers import messages_headers
from app.routing import Route
from app.services import Caller, Services
from app.tokens import estimate_input_tokens
from app.translate.model_name import with_model
from app.upstream import Answer

PATH = "/v1/messages/count_tokens"
_UNSUPPORTED = frozenset({404, 405, 501})
_ASK_AGAIN_AFTER = 600.0
"""Seconds for which an upstream without token counting is not asked again."""


class TokenCounter:
    """Counts for one upstream; remembers that it cannot count."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def count(
        self, services: Services, caller: Caller, body: bytes, request: Mapping[str, Any], route: Route
    ) -> tuple[int, bytes | None]:
        """(input tokens, the upstream's own body); the body is None when the number is an estimate.

        A count never fails a request: whatever goes wrong upstream, the estimate answers.
        """
        if services.settings.forward_count_to_upstream and time.monotonic() >= self._silent_until:
            try:
                counted = self._asked(services, caller, body, request, route)
            except UpstreamError:
                counted = None
            if counted is not None:
                return counted
        return estimate_input_tokens(request, route.upstream_model), None

    def _asked(
        self, services: Services, caller: Caller, body: bytes, request: Mapping[str, Any], route: Route
    ) -> tuple[int, bytes] | None:
        if request.get("model") != route.upstream_model:
            body = with_model(body, route.upstream_model)
        headers = messages_headers(caller.headers, caller.credentials, services.settings, caller.request_id)
        answer = services.upstream.send("POST", PATH, headers, body, caller.socket)
        assert isinstance(answer, Answer)
        if answer.status in _UNSUPPORTED:
            self._silent_until = time.monotonic() + _ASK_AGAIN_AFTER
        counted = answer.body()
        if answer.status != 200:
            return None
        try:
            tokens = orjson.loads(counted)["input_tokens"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        return (tokens, counted) if isinstance(tokens, int) else None


def count_body(tokens: int, counted: bytes | None, compatible: bool) -> bytes:
    """The answer's body: Anthropic's own, with OpenAI-style keys beside it if `compatible`; an estimate says so."""
    if counted is not None and not compatible:
        return counted
    body: dict[str, Any] = orjson.loads(counted) if counted is not None else {"input_tokens": tokens}
    if counted is None:
        body["proxy_estimate"] = True
    if compatible:
        body |= {"token_count": tokens, "input_token_count": tokens}
        body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps(body)
