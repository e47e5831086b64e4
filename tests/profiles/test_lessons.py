"""What an upstream's refusal teaches, and that the request without it no longer holds what was refused."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from app.profiles.known_models import ALL_EFFORTS
from app.profiles.lessons import Lesson, Lessons, lesson
from app.profiles.profile import Profile, profile_for
from app.translate.request import Options, messages_request
from tests.fake_upstream import LEGACY, LEGAL_HEADERS, V46, V47, V55, ModelProfile, refusal
from tests.fake_upstream.profiles import DEEPSEEK, GLM_ALWAYS_THINKING, KIMI_CODE, MINIMAX
from tests.translate.requests import WEATHER, Json, call, result, user

HI = user("hi")
BLOCK = {"type": "thinking", "thinking": "hm", "signature": "of somebody else"}
LATER = {"role": "system", "content": "Be brief."}
PREFILL = {"role": "assistant", "content": "It is"}
TOOLS: Json = {"tools": [WEATHER]}
STRICT_TOOL = {"type": "function", "function": WEATHER["function"] | {"strict": True}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
JSON_WISH = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
MARKED = user([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
NEWEST = profile_for("api.anthropic.com", "claude-opus-5-5")
FULL = replace(
    NEWEST, forced_tool_choice=True, prefill=True, sampling="all", thinking=("enabled", "adaptive", "disabled")
)
NO_STRUCTURE = replace(LEGACY, structured_output=False)


def sent(profile: Profile, *messages: Json, **fields: Any) -> Json:
    request = {"model": "m", "messages": list(messages) or [HI], **fields}
    return messages_request(request, "m", "m", profile, Options(default_max_tokens=8000)).body


# What we believe at first, who really answers, the request, the lesson's name.
TAUGHT: list[tuple[Profile, ModelProfile, list[Json], Json, str]] = [
    (Profile(sampling="all"), LEGACY, [], {"temperature": 0.5, "top_p": 0.5}, "temperature with top_p"),
    (Profile(), V47, [], {"temperature": 0.5}, "sampling"),
    (
        Profile(sampling="all", sampling_while_thinking=True),
        LEGACY,
        [],
        {"reasoning_effort": "low", "temperature": 0.5},
        "sampling while thinking",
    ),
    (Profile(), V47, [], {"reasoning_effort": "low"}, "thinking.type.enabled"),
    (NEWEST, LEGACY, [], {}, "thinking.type.adaptive"),
    (
        replace(NEWEST, thinking=("adaptive", "disabled")),
        V55,
        [],
        {"reasoning_effort": "none"},
        "thinking.type.disabled",
    ),
    (Profile(thinks_unasked=True), GLM_ALWAYS_THINKING, [], {"reasoning_effort": "none"}, "thinking.type.disabled"),
    (Profile(thinks_unasked=True), KIMI_CODE, [], {"reasoning_effort": "none"}, "thinking.type.disabled"),
    (replace(NEWEST, efforts=ALL_EFFORTS), V46, [], {"reasoning_effort": "xhigh"}, "output_config.effort"),
    (Profile(efforts=ALL_EFFORTS), LEGACY, [], {"reasoning_effort": "low"}, "output_config.effort"),
    (replace(NEWEST, forced_tool_choice=True), V55, [], TOOLS | {"tool_choice": "required"}, "forced tool_choice"),
    (
        Profile(forced_tool_choice_while_thinking=True),
        LEGACY,
        [],
        TOOLS | {"tool_choice": "required", "reasoning_effort": "low"},
        "forced tool_choice while thinking",
    ),
    (
        Profile(forced_tool_choice_while_thinking=True, thinks_unasked=True),
        DEEPSEEK,
        [],
        TOOLS | {"tool_choice": "required", "reasoning_effort": "low"},
        "forced tool_choice while thinking",
    ),
    (Profile(), V46, [HI, PREFILL], {}, "prefill"),
    (replace(FULL, thinking=("disabled",), thinks_unasked=False), V46, [HI, LATER], {}, "system messages"),
    (Profile(system_messages=True), LEGACY, [HI, LATER], {}, "system messages"),
    (Profile(system_messages=True), DEEPSEEK, [HI, LATER], {}, "system messages"),
    (Profile(system_messages=True), MINIMAX, [HI, LATER], {}, "system messages"),
    (Profile(structured_outputs=True), NO_STRUCTURE, [], {"response_format": JSON_WISH}, "structured outputs"),
    (Profile(), replace(LEGACY, max_tokens=4096), [], {}, "max_tokens"),
    (Profile(verbatim_tool_ids=True), LEGACY, [HI, call("f.g:0"), result("f.g:0")], TOOLS, "tool ids"),
    (
        Profile(tool_name_length=128),
        replace(LEGACY, tool_name_length=64),
        [],
        {"tools": [{"type": "function", "function": {"name": "x" * 100}}]},
        "long tool names",
    ),
    (Profile(), LEGACY, [HI, call(thinking_blocks=[BLOCK]), result()], TOOLS, "thinking blocks"),
    (
        Profile(loop_thinking=False),
        LEGACY,
        [HI, call(), result()],
        TOOLS | {"reasoning_effort": "low"},
        "tool loops without their thinking",
    ),
]


@pytest.mark.parametrize(
    ("believed", "real", "messages", "fields", "name"), TAUGHT, ids=lambda v: v if isinstance(v, str) else ""
)
def test_one_lesson_makes_the_request_legal(
    believed: Profile, real: ModelProfile, messages: list[Json], fields: Json, name: str
) -> None:
    refused = refusal(sent(believed, *messages, **fields), real, LEGAL_HEADERS)
    assert refused is not None
    learned = lesson(refused.message, believed)
    assert learned is not None
    assert learned.name == name
    wiser = replace(believed, **learned.changes)
    again = refusal(sent(wiser, *messages, **fields), real, LEGAL_HEADERS)
    assert again is None, again
    assert lesson(refused.message, wiser) != learned


def everywhere(value: Any) -> str:
    return repr(value)


# The text, what we believe, the request, what must be gone from it.
TEXTS: list[tuple[str, Profile, list[Json], Json, str]] = [
    (
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        Profile(),
        [HI, call(thinking_blocks=[BLOCK]), result()],
        TOOLS,
        "'thinking'",
    ),
    (
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
        Profile(),
        [HI, call(thinking_blocks=[{"type": "redacted_thinking", "data": "x"}]), result()],
        TOOLS,
        "redacted",
    ),
    (
        "messages.1.content.0.thinking.signature: Field required",
        Profile(unsigned_thinking=True),
        [HI, call(reasoning_content="hm"), result()],
        TOOLS,
        "'thinking'",
    ),
    (
        "messages.1.content.0.thinking.signature: Extra inputs are not permitted",
        Profile(),
        [HI, call(thinking_blocks=[BLOCK]), result()],
        TOOLS,
        "'thinking'",
    ),
    (
        "messages.3.content.1: `thinking` blocks in the latest assistant message cannot be modified.",
        Profile(),
        [HI, call(thinking_blocks=[BLOCK]), result()],
        TOOLS,
        "'thinking'",
    ),
    (
        "messages.1.content.0: Invalid `signature` in block. The block is bound to a different conversation.",
        NEWEST,
        [HI, call(thinking_blocks=[BLOCK]), result()],
        TOOLS,
        "'signature'",
    ),
    (
        "content[].thinking in the thinking mode must be passed back to the API",
        Profile(loop_thinking=False),
        [HI, call(), result()],
        TOOLS | {"reasoning_effort": "low"},
        "'thinking'",
    ),
    (
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
        Profile(loop_thinking=False),
        [HI, call(), result()],
        TOOLS | {"reasoning_effort": "low"},
        "'thinking'",
    ),
    (
        "messages.1.content.0: Input tag 'thinking' found using 'type' does not match any of the expected tags: 'text'",
        Profile(),
        [HI, call(thinking_blocks=[BLOCK]), result()],
        TOOLS,
        "'thinking'",
    ),
    (
        "thinking: Input tag 'disabled' found using 'type' does not match any of the expected tags: 'enabled'",
        Profile(thinks_unasked=True),
        [],
        {"reasoning_effort": "none"},
        "disabled",
    ),
    (
        "thinking: Input tag 'between_tools' found using 'type' does not match any of the expected tags: 'adaptive'",
        replace(NEWEST, thinking=("adaptive", "between_tools")),
        [],
        {"reasoning_effort": "none"},
        "between_tools",
    ),
    (
        "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
        NEWEST,
        [],
        {"tools": [WEATHER | {"eager_input_streaming": True}]},
        "eager_input_streaming",
    ),
    ("thinking.adaptive.display: Extra inputs are not permitted", NEWEST, [], {}, "display"),
    ("thinking: Extra inputs are not permitted", NEWEST, [], {}, "'thinking'"),
    (
        "output_config: Extra inputs are not permitted",
        NEWEST,
        [],
        {"reasoning_effort": "low", "response_format": JSON_WISH},
        "output_config",
    ),
    (
        "output_config.effort: Input should be 'low', 'medium' or 'high'",
        NEWEST,
        [],
        {"reasoning_effort": "max"},
        "'max'",
    ),
    (
        "tools.0.custom.strict: Extra inputs are not permitted",
        Profile(structured_outputs=True),
        [],
        {"tools": [STRICT_TOOL]},
        "strict",
    ),
    (
        "Too many strict tools (21). The maximum number",
        Profile(structured_outputs=True),
        [],
        {"tools": [STRICT_TOOL]},
        "strict",
    ),
    (
        "Grammar compilation timed out.",
        Profile(structured_outputs=True),
        [],
        {"response_format": JSON_WISH},
        "output_config",
    ),
    (
        "messages.0.content.0.text.cache_control.ephemeral.ttl: Extra inputs are not permitted",
        Profile(),
        [MARKED],
        {},
        "ttl",
    ),
    (
        "messages.0.content.0.text.cache_control: Extra inputs are not permitted",
        Profile(),
        [MARKED],
        {},
        "cache_control",
    ),
    ("service_tier: Extra inputs are not permitted", NEWEST, [], {"service_tier": "auto"}, "service_tier"),
    ("metadata: Extra inputs are not permitted", Profile(), [], {"user": "u"}, "metadata"),
    ("metadata.user_id: String should have at most 256 characters", Profile(), [], {"user": "u"}, "metadata"),
    ("stop_sequences: Extra inputs are not permitted", Profile(), [], {"stop": "END"}, "stop_sequences"),
    ("container: Extra inputs are not permitted", NEWEST, [], {"container": "c"}, "container"),
    ("mcp_servers: Extra inputs are not permitted", NEWEST, [], {"mcp_servers": []}, "mcp_servers"),
    (
        "body.context_management: Extra inputs are not permitted",
        NEWEST,
        [],
        {"context_management": {}},
        "context_management",
    ),
    ("Unrecognized request argument supplied: metadata", Profile(), [], {"user": "u"}, "metadata"),
    (
        "tool_choice: Input tag 'none' found using 'type' does not match any of the expected tags: 'any'",
        Profile(),
        [],
        TOOLS | {"tool_choice": "none"},
        "'none'",
    ),
    (
        "tools.0: Input tag 'web_search_20250305' found using 'type' does not match",
        NEWEST,
        [],
        {"web_search_options": {}},
        "web_search",
    ),
    (
        "This model always engages in thinking and cannot be disabled; please use low, high, or max",
        Profile(thinks_unasked=True),
        [],
        {"reasoning_effort": "none"},
        "disabled",
    ),
    ("top_p: Extra inputs are not permitted", Profile(), [], {"top_p": 0.5}, "top_p"),
    ("`temperature` is deprecated for this model.", Profile(), [], {"temperature": 0.5}, "temperature"),
    (
        '[{"loc":["body","messages",1,"role"]}] messages.1.role: Input should be \'user\' or \'assistant\'',
        Profile(system_messages=True),
        [HI, LATER],
        {},
        "'role': 'system'",
    ),
]


@pytest.mark.parametrize(
    ("text", "believed", "messages", "fields", "gone"), TEXTS, ids=[text[0][:50] for text in TEXTS]
)
def test_what_a_text_refuses_is_gone_afterwards(
    text: str, believed: Profile, messages: list[Json], fields: Json, gone: str
) -> None:
    assert gone in everywhere(sent(believed, *messages, **fields))
    learned = lesson(text, believed)
    assert learned is not None
    wiser = replace(believed, **learned.changes)
    assert gone not in everywhere(sent(wiser, *messages, **fields))
    assert lesson(text, wiser) is None or lesson(text, wiser) != learned


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for m", 64_000),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
        ("max_tokens must be less than or equal to 4096", 4096),
        ("input length and `max_tokens` exceed context limit: 180000 + 32000 > 200000, decrease input length", 20_000),
    ],
)
def test_limits_are_learned_as_numbers(text: str, limit: int) -> None:
    learned = lesson(text, Profile())
    assert learned is not None
    assert learned.changes == {"max_output_tokens": limit}
    assert learned.lasting == ("context limit" not in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "prompt is too long: 202630 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 210000 + 100 > 200000",
        "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes",
        "messages.0.content.1.image.source.base64: The image was specified using the image/jpeg media type",
        "Your credit balance is too low to access the Anthropic API.",
        "messages: Extra inputs are not permitted",
        "tools: Extra inputs are not permitted",
        "system: Extra inputs are not permitted",
        "messages.1.name: Extra inputs are not permitted",
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
        "messages.3: `tool_use` ids were found without `tool_result` blocks immediately after: web_search_1",
        "max_tokens: Field required",
        "The temperature in Paris is not supported by this tool.",
        "invalid params, chat content is empty (2013)",
    ],
)
def test_other_refusals_teach_nothing(text: str) -> None:
    for believed in (Profile(), NEWEST, FULL):
        assert lesson(text, believed) is None


def test_refusals_of_several_fields_add_up() -> None:
    first = lesson("metadata: Extra inputs are not permitted", Profile())
    assert first == Lesson("metadata", {"refused_fields": ("metadata",)})
    second = lesson("container: Extra inputs are not permitted", replace(Profile(), **first.changes))
    assert second == Lesson("container", {"refused_fields": ("metadata", "container")})


def test_lasting_lessons_are_kept_by_host_and_model_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    lessons, learned = Lessons(), Lesson("prefill", {"prefill": False})
    with caplog.at_level(logging.WARNING, "anthropic_proxy.lessons"):
        lessons.remember(learned, "h", "m")
        lessons.remember(learned, "h", "m")
    assert len(caplog.records) == 1
    assert lessons.applied(Profile(), "h", "m") == Profile(prefill=False)
    assert lessons.applied(Profile(), "h", "other") == lessons.applied(Profile(), "other", "m") == Profile()
    assert lessons.names("h", "m") == ("prefill",)


def test_a_lesson_about_one_conversation_is_not_kept() -> None:
    lessons = Lessons()
    lessons.remember(Lesson("thinking blocks", {"thinking_replay": False}, lasting=False), "h", "m")
    assert lessons.applied(Profile(), "h", "m") == Profile()


def test_old_models_are_forgotten() -> None:
    lessons = Lessons(capacity=2)
    for model in ("a", "b", "c"):
        lessons.remember(Lesson("prefill", {"prefill": False}), "h", model)
    assert [bool(lessons.names("h", model)) for model in ("a", "b", "c")] == [False, True, True]
