"""Headers: lists that fit one line, durations, request ids."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.headers import chat_headers, listing, messages_headers, openai_headers, passed_back
from app.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-11-22T12:00:30Z", "30s"),
        ("2026-11-22T13:00:00+00:00", "3600s"),
        ("2026-11-22T11:00:00Z", "0s"),
        ("6ms", "6ms"),
        ("2026-11-22T12:00:00", "2026-11-22T12:00:00"),
        ("", ""),
    ],
)
def test_an_instant_becomes_a_duration(instant: str, expected: str) -> None:
    headers = openai_headers({"Anthropic-Ratelimit-Requests-Reset": instant}, NOW)
    assert headers["x-ratelimit-reset-requests"] == expected
    assert headers["anthropic-ratelimit-requests-reset"] == instant


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"request-id": "a", "x-request-id": "b"}, "a"),
        ({"x-request-id": "b"}, "b"),
        ({"x-log-id": "c"}, "c"),
        ({"trace-id": "d"}, "d"),
        ({}, None),
    ],
)
def test_the_upstreams_request_id_by_its_names(given: dict[str, str], expected: str | None) -> None:
    assert passed_back(given).get("x-upstream-request-id") == expected


def test_a_listing_is_one_short_ascii_line() -> None:
    assert listing(["seed", "logit_bias"]) == "seed, logit_bias"
    assert listing(["ü", "a\r\nset-cookie: b"]) == "\\xfc, a  set-cookie: b"
    long = listing(["x" * 100] * 1000)
    assert len(long) == 4000
    assert long.endswith("...")


@given(st.text(st.characters(max_codepoint=0x2FF)))
def test_a_value_loses_its_control_characters_and_nothing_else(value: str) -> None:
    sent = messages_headers({"user-agent": value}, {}, Settings(), "id")["user-agent"]
    assert sent == "".join(character for character in value if character == "\t" or " " <= character != "\x7f")


def test_no_value_can_start_a_header_of_its_own() -> None:
    client = {"anthropic-beta": "a\r\nx-api-key: stolen", "user-agent": "x\ny", "anthropic-version": "1\0"}
    for headers in (
        messages_headers(client, {"x-api-key": "k\r\nv: 1"}, Settings(), "id"),
        chat_headers(client, ("b\n",), {"x-api-key": "k\r\nv: 1"}, Settings(), "id"),
    ):
        assert not any(character in value for value in headers.values() for character in "\r\n\0")
