"""The errors of the Messages API, in its own shape.

Types, messages and headers follow https://docs.anthropic.com/en/api/errors and errors recorded from the API.
"""

from typing import Any

RETRY_AFTER_SECONDS = 1

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_RECORDED_MESSAGES = {
    400: "prompt is too long: 202630 tokens > 200000 maximum",
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "model: claude-does-not-exist",
    409: "The request conflicts with the current state of the resource.",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your account's rate limit. Please try again later.",
    500: "Internal server error",
    504: "Request timed out",
    529: "Overloaded",
}
CHOOSABLE_STATUSES = tuple(_RECORDED_MESSAGES)

_RATE_LIMIT_HEADERS = [
    ("anthropic-ratelimit-requests-limit", "50"),
    ("anthropic-ratelimit-requests-remaining", "0"),
    ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
]


class ApiError(Exception):
    """A refusal with an HTTP `status` and the message the API gives for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def headers(self) -> list[tuple[str, str]]:
        """`x-should-retry` always; when to come back, and the spent limit, where the API says so."""
        retryable = self.status in (409, 429) or self.status >= 500
        headers = [("x-should-retry", "true" if retryable else "false")]
        if self.status in (429, 529):
            headers.append(("retry-after", str(RETRY_AFTER_SECONDS)))
        if self.status == 429:
            headers += _RATE_LIMIT_HEADERS
        return headers


def recorded_error(status: int) -> ApiError:
    """The error of one of CHOOSABLE_STATUSES, with the message the API itself uses."""
    return ApiError(status, _RECORDED_MESSAGES[status])


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """`{"type", "error": {type, message, details}, "request_id"}`; an `error` event has the same data."""
    return {
        "type": "error",
        "error": {"type": _TYPES[error.status], "message": error.message, "details": None},
        "request_id": request_id,
    }
