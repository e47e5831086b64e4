"""Error bodies of every upstream, and what each means."""

import json
import time
from typing import Any

import pytest
from hypothesis import given

from app.errors import UpstreamRefusal
from app.translate.error_body import openai_error
from app.translate.upstream_error import MAX_QUOTED, error_in_disguise, read_error, stream_error
from tests.translate.answers import ANYTHING, JSON

ANTHROPIC = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}, "request_id": "req_1"}


def read(status: int, body: Any) -> UpstreamRefusal:
    return read_error(status, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (ANTHROPIC, "Slow down"),
        ({"error": {"message": "m", "type": "t", "param": None, "code": "c"}}, "m"),
        ({"error": {"msg": "m", "code": "1302"}}, "m"),
        ({"error": "m"}, "m"),
        ({"detail": "m"}, "m"),
        ({"detail": [{"loc": ["body", "messages", 1, "role"], "msg": "m"}, {"msg": "n"}]}, "messages.1.role: m; : n"),
        ({"message": "m"}, "m"),
        ({"msg": "m", "code": 500}, "m"),
        ({"base_resp": {"status_code": 1002, "status_msg": "m"}}, "m"),
        # The first known shape wins, in this order.
        ({"error": {"message": "m"}, "message": "n", "msg": "o"}, "m"),
        ({"error": None, "detail": "m", "message": "n"}, "m"),
        ({"message": "m", "msg": "n"}, "m"),
        ({"Message": "m"}, "m"),
        # Shapes within shapes, and none at all.
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], "m"),
        ({"success": False, "errors": [{"code": 10000, "message": "m"}]}, "m"),
        ({"success": False, "error": [{"code": 2009, "message": "m"}]}, "m"),
        ({"error": ["m", "n"]}, "m"),
        ({"error": {"error": {"message": "m", "type": "t"}}}, "m"),
        ({"error": {"message": '{"type":"error","error":{"type":"t","message":"m"}}'}}, "m"),
        ({"error": {"message": '[{"error":{"message":"m"}}]'}}, "m"),
        ({"error": {"message": '{"city": "Paris"}'}}, '{"city": "Paris"}'),
        ({"error": {"message": '{"error": cut'}}, '{"error": cut'),
        ({"detail": {"error": "m"}}, "m"),
        (b'"m"', "m"),
        (b'" "', '" "'),
        ({"error": {"message": {"text": "m"}}}, '{"text": "m"}'),
        ({"error": {"type": "t"}}, '{"type": "t"}'),
        (b"upstream\n connect   error", "upstream connect error"),
        (b"<html><style>a {b: c}</style><body><h1>502</h1>\n<p>Bad Gateway</p></body></html>", "502 Bad Gateway"),
        (b"", "The upstream answered with status 502 and no explanation."),
        (b"[]", "[]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 1000, "x" * MAX_QUOTED),
    ],
)
def test_the_sentence_is_found_in_every_shape(body: Any, message: str) -> None:
    assert read(502, body).message == message


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        (ANTHROPIC, 429, "rate_limit_error"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, 529, "overloaded_error"),
        ({"error": {"code": "1113", "message": "m"}}, 402, "billing_error"),
        ({"error": {"code": "1211", "message": "m"}}, 404, "not_found_error"),
        ({"error": {"code": 1302, "message": "m"}}, 429, "rate_limit_error"),
        ({"error": {"code": "1305", "message": "m"}}, 529, "overloaded_error"),
        ({"error": {"code": "1002", "message": "m"}}, 401, "authentication_error"),
        ({"type": "error", "error": {"type": "1305", "message": "[1305][m]"}}, 529, "overloaded_error"),
        ({"error": {"code": "1302", "message": "[1305][m]"}}, 429, "rate_limit_error"),
        ({"base_resp": {"status_code": 1002, "status_msg": "m"}}, 429, "rate_limit_error"),
        ({"base_resp": {"status_code": 1004, "status_msg": "m"}}, 401, "authentication_error"),
        ({"base_resp": {"status_code": 1008, "status_msg": "m"}}, 402, "billing_error"),
        ({"base_resp": {"status_code": 1026, "status_msg": "m"}}, 400, "invalid_request_error"),
        ({"base_resp": {"status_code": 2056, "status_msg": "m"}}, 429, "rate_limit_error"),
        ({"base_resp": {"status_code": 77, "status_msg": "m"}}, 500, "api_error"),
        ({"type": "error", "error": {"type": "x", "message": "rate limit (1002)"}}, 429, "rate_limit_error"),
        ({"code": 401, "msg": "m", "success": False}, 401, "authentication_error"),
        ({"code": 503, "msg": "m"}, 503, "overloaded_error"),
        ({"error": {"code": 400, "message": "m", "type": "exceed_context_size_error"}}, 400, "invalid_request_error"),
        ({"error": {"message": "m", "type": "BadRequestError"}}, 400, "invalid_request_error"),
        ({"error": {"message": "m", "type": "internal_error"}}, 500, "api_error"),
        ({"error": {"message": "m", "type": "x", "code": "rate_limit_exceeded"}}, 429, "rate_limit_error"),
        ({"error": {"message": "m", "type": "requests", "code": "rate_limit_exceeded"}}, 429, "rate_limit_error"),
        ({"error": {"message": "m", "type": "engine_overloaded_error"}}, 529, "overloaded_error"),
        ({"error": {"message": "m", "type": "exceeded_current_quota_error"}}, 402, "billing_error"),
        ({"error": {"message": json.dumps(ANTHROPIC), "type": "upstream_error"}}, 429, "rate_limit_error"),
        ({"error": {"message": json.dumps({"detail": "m"}), "code": "1305"}}, 500, "api_error"),
        ({"error": "m"}, 500, "api_error"),
    ],
)
def test_an_error_without_a_status_of_its_own_gets_the_one_it_means(body: Any, status: int, type: str) -> None:
    for refusal in (read(200, body), stream_error(body)):
        assert (refusal.status, refusal.type) == (status, type)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
def test_the_status_of_an_answer_stands(status: int) -> None:
    assert read(status, {"error": {"code": "1305", "message": "m"}}).status == status
    assert read(status, ANTHROPIC).status == status


def test_only_anthropics_own_shape_is_native() -> None:
    assert read(429, ANTHROPIC).native
    assert not read(429, {"error": {"message": "m", "type": "rate_limit_error"}}).native
    assert not read(400, {"type": "error", "error": {"type": "BadRequestError", "message": "m"}}).native
    assert read(429, ANTHROPIC).body == json.dumps(ANTHROPIC).encode()
    assert stream_error(ANTHROPIC).native
    for odd in ({"error": "m"}, {"error": {"type": "1302", "message": "m"}}, {"error": {"type": "api_error"}}, {}):
        assert not stream_error({"type": "error", **odd}).native


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3:8080",
        "http://172.16.0.9/v1",
        "192.168.1.9",
        "127.0.0.1:30000",
        "169.254.169.254",
        "100.64.0.1",
        "[fd12:3456::1]:443",
        "[::1]:8000",
        "localhost:11434",
        "vllm-0.vllm.models.svc.cluster.local:8000",
        "ip-10-0-0-7.eu-west-1.compute.internal",
    ],
)
def test_no_address_behind_the_upstream_is_told(address: str) -> None:
    body = ANTHROPIC | {"error": {"type": "api_error", "message": f"connect to {address} failed (see {address})."}}
    for refusal in (read(502, body), stream_error(body), read(502, f"<p>connect to {address} failed</p>".encode())):
        assert "connect to " in refusal.message
        assert "[internal address]" in refusal.message
        assert not refusal.native
        for part in ("10", "16", "168", "254", "64.0", "fd12", "::1", "localhost", "vllm", "internal:", "compute"):
            assert part not in refusal.message


@pytest.mark.parametrize(
    "text",
    [
        "api.anthropic.com:443",
        "https://docs.claude.com/en/api",
        "claude-3-10.5.2",
        "110.1.2.3",
        "10.1.2",
        "v10.1.2.3.4",
        "172.32.0.1",
        "messages.0.content.1.local_field",
        "config.local.json",
        "internal server error",
        "[fdic] [1] [::]",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert read(400, {"error": {"message": text}}).message == text


def test_codes_survive_unless_they_repeat_the_status() -> None:
    assert read(400, {"error": {"code": "1210", "message": "m"}}).code == "1210"
    assert read(400, {"error": {"code": 400, "message": "m"}}).code is None
    details = {"error_code": "tool_name_conflict"}
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "m", "details": details}}
    assert read(400, body).code == "tool_name_conflict"
    assert read(400, {"error": {"code": {"a": 1}, "message": "m"}}).code is None


@pytest.mark.parametrize("number", ["1113", "1305", "1261"])
def test_a_number_in_a_sentence_is_no_code(number: str) -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": f"max_tokens: {number} > 1000"}}
    refusal = read(400, body)
    assert refusal.code is None
    assert openai_error(refusal)[1]["error"]["code"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"type": "message", "content": []},
        {"type": "message", "content": [{"type": "text"}], "error": "odd"},
        {"content": [{"type": "text"}], "base_resp": {"status_code": 1004}},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"code": 200, "msg": "ok", "success": True},
        {"error": None},
        {},
        [],
        None,
        "text",
    ],
)
def test_what_is_no_error(body: Any) -> None:
    assert not error_in_disguise(body)


@given(JSON | ANYTHING)
def test_any_json_can_be_an_error(value: Any) -> None:
    for body in (value, {"error": value}, {"type": "error", "error": {"message": value, "type": value, "code": value}}):
        refusal = read(400, body)
        assert refusal.message
        assert isinstance(refusal.type, str)
        if isinstance(body, dict):
            stream_error(body)
            json.dumps(openai_error(stream_error(body))[1]).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"<" * 3_000_000,
        b"<script" * 500_000,
        b'{"error":' * 300_000,
        b"[" * 3_000_000,
    ],
)
def test_a_hostile_body_costs_little(body: bytes) -> None:
    begun = time.process_time()
    assert len(read_error(500, body).message) <= MAX_QUOTED
    assert time.process_time() - begun < 2


def test_a_body_too_large_for_an_error_is_quoted_and_not_parsed() -> None:
    assert read(500, {"error": {"message": "m"}, "more": "x" * 2_000_000}).message.startswith('{"error"')


def test_half_a_surrogate_pair_in_a_sentence_can_be_encoded() -> None:
    assert read(400, b'{"error": {"message": "\\ud83d"}}').message == "?"


def test_an_error_event_has_the_request_id_and_the_words_of_the_upstream() -> None:
    refusal = stream_error(ANTHROPIC)
    assert refusal.headers == {"request-id": "req_1"}
    assert refusal.native
    assert json.loads(refusal.body) == ANTHROPIC
    assert not stream_error({"type": "error", "error": {"code": "1302", "message": "Slow down"}}).native
