"""Which headers go upstream and which come back; never a hop-by-hop one, a cookie, or a key but the one meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache

from app.settings import Settings
from app.translate.betas import BETA_NAME

ANTHROPIC_VERSION = "2023-06-01"
"""The version every upstream knows; the newer 2026-10-21 refuses temperature, top_p and top_k."""

_PASSED_UP = re.compile(r"(anthropic-(?!version$|beta$).*|x-stainless-.*|idempotency-key|user-agent|x-app|x-claude-.*)")
_PASSED_BACK = re.compile(
    r"(request-id|retry-after|retry-after-ms|x-should-retry|anthropic-.*|x-ratelimit-.*|openai-.*)"
)
_REQUEST_IDS = ("request-id", "x-request-id", "x-log-id", "trace-id")
"""Anthropic's; most others'; z.ai's; MiniMax's."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_LIMIT = re.compile(r"anthropic-ratelimit-(requests|tokens|input-tokens)-(limit|remaining|reset)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_LIMIT = 4000
"""Characters of a header that lists what was ignored; common servers refuse lines of 8 KB."""


# Every peer sends the same few names with each message.
@lru_cache(128)
def _is_passed_up(name: str) -> bool:
    return bool(_PASSED_UP.fullmatch(name.lower()))


@lru_cache(128)
def _is_passed_back(name: str) -> bool:
    return bool(_PASSED_BACK.fullmatch(name.lower()))


def messages_headers(
    client: Mapping[str, str], credentials: dict[str, str], settings: Settings, request_id: str
) -> dict[str, str]:
    """For a passed-through request: what the client said to Anthropic, and nothing else."""
    headers = {name.lower(): value for name, value in client.items() if _is_passed_up(name)}
    headers["anthropic-version"] = client.get("anthropic-version") or ANTHROPIC_VERSION
    return _one_line(headers | _common(_asked_betas(client), credentials, settings, request_id))


def chat_headers(
    client: Mapping[str, str],
    betas: Iterable[str],
    credentials: dict[str, str],
    settings: Settings,
    request_id: str,
) -> dict[str, str]:
    """For a translated request."""
    headers = {"anthropic-version": ANTHROPIC_VERSION, "user-agent": "anthropic-proxy"}
    # Upstreams quote an odd one in their refusals, from which is learned.
    asked = filter(BETA_NAME.fullmatch, _asked_betas(client))
    return _one_line(headers | _common([*asked, *betas], credentials, settings, request_id))


def _asked_betas(client: Mapping[str, str]) -> list[str]:
    return _listed(client.get("anthropic-beta", ""))


def _listed(header: str) -> list[str]:
    return [item for item in map(str.strip, header.split(",")) if item] if header else []


def _common(betas: list[str], credentials: dict[str, str], settings: Settings, request_id: str) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept-encoding": "identity", "x-request-id": request_id}
    if settings.force_anthropic_beta:
        betas = [*betas, *_listed(settings.default_anthropic_beta)]
    if betas:
        headers["anthropic-beta"] = ",".join(dict.fromkeys(betas))
    return headers | credentials


def _one_line(headers: dict[str, str]) -> dict[str, str]:
    """Without control characters, whatever the server in front let through: none can start a header of its own."""
    if "".join(headers.values()).isprintable():
        return headers
    return {name: _UNPRINTABLE.sub("", value) for name, value in headers.items()}


def request_id(client: Mapping[str, str], made: str) -> str:
    """The client's `x-request-id` if it is harmless, else `made`."""
    given = client.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else made


def passed_back(upstream: Mapping[str, str]) -> dict[str, str]:
    """The upstream's headers that a client of the Messages API may read."""
    headers = {name.lower(): value for name, value in upstream.items() if _is_passed_back(name)}
    for name in _REQUEST_IDS:
        if given := upstream.get(name):
            headers["x-upstream-request-id"] = given
            break
    return headers


def openai_headers(upstream: Mapping[str, str], now: datetime | None = None) -> dict[str, str]:
    """The upstream's headers for an OpenAI client: its own dialect of the rate limits beside Anthropic's.

    `now` (aware; by default the present) is when a reset is counted from.
    """
    headers = passed_back(upstream)
    limits = [(name, value) for name, value in headers.items() if name.startswith("anthropic-ratelimit-")]
    for name, value in limits:
        match = _LIMIT.fullmatch(name)
        if match:
            kind, what = match.groups()
            value = _until(value, now) if what == "reset" else value
            if kind == "input-tokens":
                headers.setdefault(f"x-ratelimit-{what}-tokens", value)
            else:
                headers[f"x-ratelimit-{what}-{kind}"] = value
    headers.pop("request-id", None)
    return headers


def _until(instant: str, now: datetime | None) -> str:
    """An RFC 3339 instant as OpenAI's duration, such as `12s`; anything else stays as it is."""
    try:
        moment = datetime.fromisoformat(instant.replace("Z", "+00:00"))
        seconds = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    except (ValueError, TypeError):
        return instant
    return f"{max(0, round(seconds))}s"


def listing(items: Iterable[str]) -> str:
    """Names for one header line, in ASCII without control characters, cut where it grows too long."""
    line = ", ".join(items)
    if not (line.isascii() and line.isprintable()):
        line = line.encode("ascii", "backslashreplace").decode()
        line = re.sub(r"[\x00-\x1f\x7f]", " ", line)
    return line if len(line) <= _HEADER_LIMIT else line[: _HEADER_LIMIT - 3] + "..."
