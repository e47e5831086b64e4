"""Keys taken out of what an upstream says, and nothing else with them."""

import json

import pytest

from app.errors import UpstreamRefusal, UpstreamTimeout
from app.redaction import headers_without_keys, without_keys
from app.translate.upstream_error import read_error, stream_error

KEY = "sk-server/of+the=owner"


def told(message: str, *credentials: str) -> str:
    return without_keys(UpstreamRefusal(401, "authentication_error", message), credentials).message


@pytest.mark.parametrize(
    ("message", "credentials", "expected"),
    [
        ("a sk-secret-key-1, b", ["Bearer sk-secret-key-1"], "a [redacted], b"),
        ("Bearer sk-secret-key-2!", ["sk-secret-key-1", "sk-secret-key-2"], "Bearer [redacted]!"),
        ("sk-secret-key-3", ["sk-secret-key-1"], "sk-secret-key-3"),
        # So long a key is no word: wherever it stands.
        ("%20sk-secret-key-123%20", ["sk-secret-key-123"], "%20[redacted]%20"),
        # A short one may be part of a word.
        ("anthropic-proxy", ["anthropic"], "[redacted]-proxy"),
        ("anthropics and philanthropic", ["anthropic"], "anthropics and philanthropic"),
        ("(my-secret) my-secret2", ["my-secret"], "([redacted]) my-secret2"),
        # Placeholders are words of ordinary sentences.
        ("no ollama here", ["ollama"], "no ollama here"),
        ("EMPTY x", ["EMPTY", "Bearer x", ""], "EMPTY x"),
        # Long texts are cut, and the key with them.
        ("Incorrect API key provided: sk-secret-key-o", ["sk-secret-key-of-the-server"], None),
        ("Incorrect API key provided: sk-secret-key-of-the-serve", ["sk-secret-key-of-the-server"], None),
    ],
)
def test_keys_are_taken_out(message: str, credentials: list[str], expected: str | None) -> None:
    assert told(message, *credentials) == (expected or "Incorrect API key provided: [redacted]")


def test_our_own_words_are_left_alone() -> None:
    error = UpstreamTimeout("The upstream did not answer in time.")
    assert without_keys(error, ["upstream", "Bearer upstream did not answer"]) is error


@pytest.mark.parametrize("escaped", [KEY, KEY.replace("/", "\\/"), "\\u0073" + KEY[1:]])
def test_an_escaped_key_is_a_key(escaped: str) -> None:
    error = {"type": "authentication_error", "message": "m", "details": {"key": "?"}}
    body = json.dumps({"type": "error", "error": error}).replace("?", escaped)
    refusal = read_error(401, body.encode())
    assert refusal.native
    assert not without_keys(refusal, [f"Bearer {KEY}"]).native, "the body quotes the key, so it is not passed on"
    assert without_keys(refusal, ["Bearer sk-another-key-of-ours"]).native


def test_a_key_behind_a_line_end_or_as_a_name() -> None:
    for error in ({"message": "your key is\nsk-12345"}, {"message": "m", "keys": {"sk-12345": "unknown"}}):
        body = json.dumps({"type": "error", "error": {"type": "authentication_error", **error}})
        assert not without_keys(read_error(401, body.encode()), ["sk-12345"]).native


def test_the_code_and_the_headers_of_a_refusal() -> None:
    body = json.dumps({"error": {"message": "no", "code": KEY}, "request_id": KEY}).encode()
    clean = without_keys(read_error(401, body, {"retry-after": "1"}), [KEY])
    assert clean.code == "[redacted]"
    assert clean.headers == {"request-id": "[redacted]", "retry-after": "1"}


def test_an_event_in_a_stream() -> None:
    event = {"type": "error", "error": {"type": "authentication_error", "message": f"no {KEY}"}}
    assert without_keys(stream_error(event), [KEY]).message == "no [redacted]"


def test_headers() -> None:
    headers = {"request-id": f"a {KEY}", "retry-after": "1"}
    assert headers_without_keys(headers, [f"Bearer {KEY}", KEY]) == {"request-id": "a [redacted]", "retry-after": "1"}
    assert headers_without_keys(headers, ["sk-another-key-of-ours"]) is headers
    assert headers_without_keys(headers, []) is headers
