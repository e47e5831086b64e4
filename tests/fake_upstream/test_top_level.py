"""The strict fake on headers, fields, types and limits."""

import pytest

from tests.fake_upstream import LEGACY, LEGAL_HEADERS, V55, rules_top_level
from tests.fake_upstream.cases import (
    BETA,
    CACHED,
    CALL,
    TEXT,
    TOOL,
    Case,
    answered,
    body,
    looped,
    rules_without_a_case,
    thought,
    without,
)
from tests.fake_upstream.profiles import OLDER

TOP_LEVEL = [
    Case(
        f"unknown top-level field {name}",
        body(**{name: value}),
        f"{name}: Extra inputs are not permitted",
        body(),
    )
    for name, value in {
        "n": 1,
        "seed": 1,
        "response_format": {"type": "text"},
        "stream_options": {},
        "presence_penalty": 0,
        "reasoning_effort": "low",
        "logprobs": False,
        "user": "u",
        "max_completion_tokens": 1,
        "parallel_tool_calls": True,
        "stop": ["x"],
        "store": False,
        "reasoning": {},
        "extra_headers": {},
        "betas": [],
    }.items()
]
WRONG_TYPES = [
    Case(f"wrong type of {name}", body(**{name: value}), fragment, body(**{name: right}))
    for name, value, fragment, right in [
        ("max_tokens", "100", "max_tokens: Input should be a valid integer", 100),
        ("max_tokens", True, "max_tokens: Input should be a valid integer", 100),
        ("temperature", "1", "temperature: Input should be a valid number", 1),
        ("temperature", None, "temperature: Input should be a valid number", 0.5),
        ("stream", "yes", "stream: Input should be a valid boolean", True),
        ("system", None, "system: Input should be a valid string", "be kind"),
        ("system", 5, "system: Input should be a valid string", ""),
        ("tools", None, "tools: Input should be a valid list", []),
        ("tools", {}, "tools: Input should be a valid list", []),
        ("stop_sequences", None, "stop_sequences: Input should be a valid list", []),
        ("stop_sequences", "x", "stop_sequences: Input should be a valid list", ["x"]),
        ("metadata", "me", "metadata: Input should be a valid dictionary", {"user_id": None}),
        ("metadata", {"x": 1}, "metadata.x: Extra inputs are not permitted", {}),
        ("metadata", {"user_id": "u" * 513}, "at most 512 characters", {"user_id": "u" * 512}),
        ("service_tier", "flex", "service_tier: Input should be 'auto' or 'standard_only'", "auto"),
        ("temperature", 1.5, "temperature: Input should be less than or equal to 1", 1),
        ("temperature", -1, "temperature: Input should be greater than or equal to 0", 0),
        ("top_p", 2, "top_p: Input should be less than or equal to 1", 0.5),
        ("top_k", -1, "top_k: Input should be greater than or equal to 0", 5),
        ("max_tokens", -1, "max_tokens: Input should be greater than or equal to 1", 1),
    ]
]
LIMITS = [
    Case("missing model", without("model"), "model: Field required", body()),
    Case("model no string", body(model=5), "model: Input should be a valid string", body()),
    Case("missing max_tokens", without("max_tokens"), "max_tokens: Field required", body()),
    Case("max_tokens 0", body(max_tokens=0), "greater than or equal to 1", body(max_tokens=0, **CACHED)),
    Case(
        "max_tokens above the model's",
        body(max_tokens=64_001),
        "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-x",
        body(max_tokens=64_000),
    ),
    Case("context overflow", body("x" * 720_000, max_tokens=30_000), "exceed context limit", body(), OLDER),
    Case("prompt too long", body("x" * 800_001), "prompt is too long: 200002 tokens > 200000", body("x" * 8000)),
    Case(
        "half a surrogate pair",
        body("\ud83d"),
        "not valid JSON: no low surrogate in string",
        body("\U0001f600"),
    ),
    Case("not a number", body(temperature=float("nan")), "The request body is not valid JSON", body()),
    Case("body no object", ["hello"], "Input should be a valid dictionary or object", body()),
]
UNKNOWN_FIELDS = [
    Case(
        f"unknown field {path}",
        refused,
        f"{path}: Extra inputs are not permitted",
        body("hello", ("assistant", "hi"), "bye"),
    )
    for path, refused in {
        "messages.0.name": {**body(), "messages": [{"role": "user", "content": "x", "name": "bob"}]},
        "messages.1.tool_calls": {
            **body(),
            "messages": [body()["messages"][0], {"role": "assistant", "content": "x", "tool_calls": []}],
        },
        "messages.0.content.0.text.prompt_cache_breakpoint": body([{**TEXT, "prompt_cache_breakpoint": {}}]),
        "tools.0.custom.function": body(tools=[{**TOOL, "function": {}}]),
        "messages.1.content.0.tool_use.provider_specific_fields": looped({**CALL, "provider_specific_fields": {}}),
        "messages.1.content.0.thinking.cache_control": answered({**thought(), **CACHED}),
        "tool_choice.none.disable_parallel_tool_use": body(
            tools=[TOOL], tool_choice={"type": "none", "disable_parallel_tool_use": True}
        ),
        "system.0.text.name": body(system=[{**TEXT, "name": "x"}]),
    }.items()
]
BETA_FIELDS = [
    Case(
        f"beta field {path} without its header",
        refused,
        f"{path}: Extra inputs are not permitted",
        refused,
        profile,
        accepting_headers={**LEGAL_HEADERS, BETA: f"prompt-caching-2024-07-31, {beta}"},
    )
    for path, beta, profile, refused in [
        ("mcp_servers", "mcp-client-2025-11-20", LEGACY, body(mcp_servers=[])),
        (
            "context_management",
            "context-management-2025-06-27",
            LEGACY,
            body(context_management={"edits": []}),
        ),
        (
            "thinking.adaptive.block_binding",
            "thinking-binding-controls-2026-08-01",
            V55,
            body(thinking={"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}),
        ),
        ("fallbacks", "server-side-fallback-2026-07-01", LEGACY, body(fallbacks=[])),
        ("compaction", "compact-2026-09-04", LEGACY, body(compaction={})),
        (
            "cache_control.ephemeral.scope",
            "prompt-caching-scope-2026-01-05",
            LEGACY,
            body(cache_control={"type": "ephemeral", "scope": "global"}),
        ),
    ]
]
HEADERS = [
    Case(
        "no key",
        body(),
        "x-api-key header is required",
        body(),
        headers={"anthropic-version": "2023-06-01"},
        status=401,
    ),
    Case(
        "wrong key",
        body(),
        "invalid x-api-key",
        body(),
        headers={**LEGAL_HEADERS, "X-Api-Key": "bad-key"},
        status=401,
    ),
    Case(
        "wrong bearer token",
        body(),
        "invalid bearer token",
        body(),
        headers={"Authorization": "Bearer bad-key"},
        accepting_headers={"Authorization": "Bearer good-key", "Anthropic-Version": "2023-06-01"},
        status=401,
    ),
    Case("no version", body(), "anthropic-version: header is required", body(), headers={"x-api-key": "k"}),
    Case(
        "unknown version",
        body(),
        'anthropic-version: "latest" is not a valid version',
        body(),
        headers={**LEGAL_HEADERS, "anthropic-version": "latest"},
    ),
    Case(
        "unknown beta",
        body(),
        "Unexpected value(s) `x-2020-01-01` for the `anthropic-beta` header.",
        body(),
        headers={**LEGAL_HEADERS, BETA: "x-2020-01-01,prompt-caching-2024-07-31"},
        accepting_headers={**LEGAL_HEADERS, BETA: "prompt-caching-2024-07-31"},
    ),
]


@pytest.mark.parametrize(
    "case",
    [*HEADERS, *TOP_LEVEL, *WRONG_TYPES, *LIMITS, *UNKNOWN_FIELDS, *BETA_FIELDS],
    ids=lambda case: case.rule,
)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert (
        rules_without_a_case(
            rules_top_level.RULES,
            [*HEADERS, *TOP_LEVEL, *WRONG_TYPES, *LIMITS, *UNKNOWN_FIELDS, *BETA_FIELDS],
        )
        == []
    )
