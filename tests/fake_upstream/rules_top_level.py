"""Rules about headers, the body as a whole, and the numbers at its top."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .betas import KNOWN_BETAS
from .conversation import blocks_with_paths, estimated_tokens
from .profiles import Enforced
from .terms import VERSIONS, Body, Rule, Terms

MAX_DEPTH = 127
MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused: HTTP status, Anthropic's error type, the message."""

    status: int
    type: str
    message: str

    @classmethod
    def invalid(cls, message: str) -> "Refusal":
        """A 400 invalid_request_error."""
        return cls(400, "invalid_request_error", message)


def key_refusal(headers: Mapping[str, str]) -> Refusal | None:
    """401 without a key or with the key `bad-key`; x-api-key wins over a Bearer token."""
    key, bearer = headers.get("x-api-key"), headers.get("authorization", "")
    if key is None and not bearer:
        return Refusal(401, "authentication_error", "x-api-key header is required")
    if key is not None:
        return Refusal(401, "authentication_error", "invalid x-api-key") if key in ("", "bad-key") else None
    token = bearer.removeprefix("Bearer ").strip() if bearer.startswith("Bearer ") else ""
    return Refusal(401, "authentication_error", "invalid bearer token") if token in ("", "bad-key") else None


def version_refusal(headers: Mapping[str, str]) -> Refusal | None:
    """400 without an anthropic-version or with one that was never published."""
    version = headers.get("anthropic-version")
    if version is None:
        return Refusal.invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        return Refusal.invalid(f'anthropic-version: "{version}" is not a valid version')
    return None


def beta_refusal(headers: Mapping[str, str]) -> Refusal | None:
    """400 for a beta that does not exist."""
    named = [beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip()]
    unknown = ", ".join(f"`{beta}`" for beta in named if beta not in KNOWN_BETAS)
    if not unknown:
        return None
    return Refusal.invalid(
        f"Unexpected value(s) {unknown} for the `anthropic-beta` header. Please consult our documentation at "
        "docs.claude.com or try again without the header."
    )


def header_refusal(headers: Mapping[str, str], terms: Terms) -> Refusal | None:
    """The first refusal that the headers alone deserve; header names in any case."""
    by_name = {name.lower(): value for name, value in headers.items()}
    if not terms.enforces(Enforced.HEADERS):
        return None
    return key_refusal(by_name) or version_refusal(by_name) or beta_refusal(by_name)


def body_from_bytes(raw: bytes) -> object | Refusal:
    """The parsed body, or the refusal of bytes that are no JSON or too many."""
    if len(raw) > MAX_BODY_BYTES:
        return Refusal(413, "request_too_large", "Request exceeds the maximum size")
    try:
        body: object = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Refusal.invalid(f"The request body is not valid JSON: {error}")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(most: int, body: object) -> bool:
    level = [body]
    for _ in range(most):
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [item for part in inner for item in (part.values() if isinstance(part, dict) else part)]
    return bool(level)


def encoding_refusal(body: object) -> Refusal | None:
    """400 for what JSON in UTF-8 cannot carry (half a surrogate pair, NaN) or for absurd nesting, 413 by size."""
    if _deeper_than(MAX_DEPTH, body):
        return Refusal.invalid("The request body is not valid JSON: recursion limit exceeded")
    try:
        size = len(json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8"))
    except ValueError as error:
        reason = "no low surrogate in string" if isinstance(error, UnicodeEncodeError) else str(error)
        return Refusal.invalid(f"The request body is not valid JSON: {reason}")
    if size > MAX_BODY_BYTES:
        return Refusal(413, "request_too_large", "Request exceeds the maximum size")
    return None


def max_tokens_of_zero(body: Body, terms: Terms) -> str | None:
    """0 is only good for warming the prompt cache, which needs a cache breakpoint and no stream."""
    if terms.counting or body["max_tokens"] != 0:
        return None
    cached = [body, *(block for _, block in blocks_with_paths(body)), *body.get("tools", [])]
    cached += body["system"] if isinstance(body.get("system"), list) else []
    if body.get("stream") or not any(part.get("cache_control") for part in cached):
        return "max_tokens: Input should be greater than or equal to 1"
    return None


def max_tokens_above_the_models(body: Body, terms: Terms) -> str | None:
    """More output than the model can write."""
    most = terms.profile.max_tokens
    if terms.counting or body["max_tokens"] <= most:
        return None
    return (
        f"max_tokens: {body['max_tokens']} > {most}, which is the maximum allowed number of output tokens "
        f"for {body['model']}"
    )


def prompt_too_long(body: Body, terms: Terms) -> str | None:
    """More input than the context holds."""
    tokens, most = estimated_tokens(body), terms.profile.context_window
    return f"prompt is too long: {tokens} tokens > {most} maximum" if tokens > most else None


def context_overflow(body: Body, terms: Terms) -> str | None:
    """Input and max_tokens together beyond the context; newer models stop there instead."""
    if terms.counting or not terms.profile.refuses_context_overflow:
        return None
    tokens, most, asked = estimated_tokens(body), terms.profile.context_window, body["max_tokens"]
    if tokens + asked <= most:
        return None
    return (
        f"input length and `max_tokens` exceed context limit: {tokens} + {asked} > {most}, "
        "decrease input length or `max_tokens` and try again"
    )


RULES: tuple[Rule, ...] = (
    max_tokens_of_zero,
    max_tokens_above_the_models,
    prompt_too_long,
    context_overflow,
)
