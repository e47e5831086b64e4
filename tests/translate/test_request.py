"""Every field of a chat request: its type, and what becomes of it."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.parameters import PARAMETERS
from app.translate.request import Options, messages_request
from tests.translate.requests import CLAUDE, HELLO, NEWEST, WEATHER, Json, body, call, result, translation, user

PNG = "data:image/png;base64,iVBORw0KGgo="
MARK = {"type": "ephemeral", "ttl": "5m"}
PLACE = {"city": "Rome", "region": "Lazio", "country": "IT", "timezone": "Europe/Rome"}
WHOLE: Json = {
    "model": "m",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": MARK}], "name": "n"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}},
                {"type": "file", "file": {"file_data": "data:text/plain,x", "filename": "a.txt"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "c"}, {"type": "refusal", "refusal": "d"}],
            "refusal": "e",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "r"}]},
        {"role": "tool", "tool_call_id": "2", "content": "r"},
        {"role": "function", "name": "f", "content": "r"},
        {
            "role": "assistant",
            "content": "h",
            "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}],
        },
        {
            "role": "assistant",
            "content": "i",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}
            ],
        },
        {"role": "assistant", "content": "j", "reasoning_content": "t", "reasoning": "t"},
        {"role": "user", "content": "go"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            "cache_control": MARK,
        },
        {
            "type": "custom",
            "custom": {
                "name": "g",
                "description": "d",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: /a/"}},
            },
        },
        {"name": "h", "description": "d", "input_schema": {"type": "object"}, "strict": True, "defer_loading": True},
    ],
    "functions": [{"name": "k", "description": "d", "parameters": {"type": "object"}}],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    },
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True},
    },
    "reasoning": {"effort": "low", "enabled": True, "exclude": False},
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": PLACE},
    },
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "metadata": {"user_id": "u"},
    "system": [{"type": "text", "text": "s", "cache_control": MARK}],
    "max_tokens": 100,
    "max_completion_tokens": 100,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "stop": ["a"],
    "stream": True,
    "parallel_tool_calls": False,
    "user": "u",
    "safety_identifier": "u",
    "user_id": "u",
    "service_tier": "auto",
    "cache_control": MARK,
    "n": 1,
    "modalities": ["text"],
    "anthropic_beta": ["prompt-caching-2024-07-31"],
    "extra_headers": {"anthropic-beta": "prompt-caching-2024-07-31"},
    "mcp_servers": [{"type": "url"}],
    "context_management": {"edits": []},
    "container": "c",
}
# Which kinds of JSON value a field takes (`*` is any index); one that is not listed takes what WHOLE shows.
TAKES: dict[str, str] = {
    "messages[*].content": "string array",
    "messages[*].content[*]": "object string",
    "messages[*].content[*].image_url": "object string",
    "messages[*].tool_calls[*].function.arguments": "string object",
    "messages[*].function_call.arguments": "string object",
    # Thinking in a shape of another client's counts as none.
    "messages[*].reasoning": "any",
    "messages[*].reasoning_content": "any",
    "messages[*].reasoning_details": "any",
    "messages[*].reasoning_details[*]": "any",
    "messages[*].reasoning_details[*].format": "any",
    "messages[*].thinking_blocks": "any",
    "messages[*].thinking_blocks[*]": "any",
    # Anything but text is left out: the block is worth nothing then.
    "messages[*].thinking_blocks[*].type": "any",
    "messages[*].thinking_blocks[*].thinking": "any",
    "messages[*].thinking_blocks[*].signature": "any",
    "messages[*].reasoning_details[*].type": "any",
    "messages[*].reasoning_details[*].text": "any",
    "messages[*].reasoning_details[*].signature": "any",
    "messages[*].tool_calls[*].type": "any",
    # Not read: OpenAI has one value for each.
    "messages[*].content[*].cache_control.type": "any",
    "messages[*].content[*].prompt_cache_breakpoint.mode": "any",
    "tools[*].cache_control.type": "any",
    "cache_control.type": "any",
    "system[*].cache_control.type": "any",
    "web_search_options.user_location.type": "any",
    # Repaired, whatever they hold.
    "tools[*].function.parameters": "object boolean",
    "functions[*].parameters": "object boolean",
    "tools[*].function.parameters.type": "any",
    "functions[*].parameters.type": "any",
    "tools[*].input_schema.type": "any",
    "response_format.json_schema.schema.type": "any",
    "tool_choice": "object string",
    "temperature": "number integer",
    "top_p": "number integer",
    "stop": "array string",
    "system": "string array",
    "system[*]": "object string",
    # Read only without anthropic_beta.
    "extra_headers.anthropic-beta": "any",
    "anthropic_beta": "string array",
    "model": "any",
    # Anthropic's own: handed on to those who know it.
    "container": "any",
    "mcp_servers[*]": "any",
    "mcp_servers[*].type": "any",
    "context_management.edits": "any",
    "tools[*].name": "string",
}
VALUES: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True],
    "integer": [7],
    "number": [1.5],
    "string": ["x"],
    "array": [[], [{}], [[]], ["a"]],
    "object": [{}, {"a": []}],
}
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def named(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def found(path: tuple[str | int, ...]) -> Any:
    value: Any = WHOLE
    for step in path:
        value = value[step]
    return value


def with_value(path: tuple[str | int, ...], value: Any) -> Json:
    request = json.loads(json.dumps(WHOLE))
    owner: Any = request
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = value
    return request


def taken(path: tuple[str | int, ...]) -> set[str]:
    pattern = named(tuple("*" if isinstance(step, int) else step for step in path)).replace(".*", "[*]")
    kind = KINDS[type(found(path))]
    return set(TAKES.get(pattern, kind).split())


def refused_param(request: Json, profile: Profile) -> str | None:
    try:
        messages_request(request, "m", "m", profile, Options())
    except InvalidRequest as error:
        return error.param or ""
    return None


LENIENT = Profile(structured_outputs=True, unsigned_thinking=True, anthropic_extensions=True, service_tier=True)


def test_the_whole_request_is_taken() -> None:
    assert refused_param(WHOLE, LENIENT) is None


@pytest.mark.parametrize("path", list(places(WHOLE)), ids=named)
def test_a_wrong_type_is_refused_with_the_fields_path(path: tuple[str | int, ...]) -> None:
    right = taken(path)
    for kind, values in VALUES.items():
        for value in values:
            param = refused_param(with_value(path, value), LENIENT)
            if "any" in right or kind in right or (kind == "integer" and "number" in right) or kind == "null":
                # The value may still be wrong, or something in it.
                assert param is None or related(param, named(path)), (value, param)
            elif kind == "string" and right == {"array"} and named(path) == "stop":
                assert param is None
            else:
                assert param == named(path), (value, param)


def related(param: str, path: str) -> bool:
    """The complaint is about the field, something in it, or what it belongs to."""
    owner = path.rsplit(".", 1)[0].rsplit("[", 1)[0]
    return param.startswith((path, owner, "tool_choice")) or path.startswith(param)


@pytest.mark.parametrize("name", PARAMETERS)
def test_null_means_absent(name: str) -> None:
    if name != "messages":
        request = {"model": "m", "messages": [HELLO]}
        with_null, without = (
            messages_request(r, "m", "m", LENIENT, Options()) for r in (request | {name: None}, request)
        )
        assert (with_null.body, with_null.betas) == (without.body, without.betas)
        assert with_null.ignored == with_null.adjusted == ()


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("value", [v for values in VALUES.values() for v in values], ids=json.dumps)
def test_every_parameter_takes_any_value_or_refuses_it_by_name(name: str, value: Any) -> None:
    param = refused_param({"model": "m", "messages": [HELLO], name: value}, LENIENT)
    assert param is None or param.startswith(name)


def test_nothing_unknown_goes_upstream() -> None:
    found = translation(nonsense=1, reasoning_split=True, **{"messages ": []})
    assert found.body == body()
    assert found.ignored == ("nonsense", "reasoning_split", "messages ")


MAPPED: list[tuple[str, Json, Json, tuple[str, ...], tuple[str, ...]]] = [
    (CLAUDE, {}, {"max_tokens": 32_000}, (), ()),
    (CLAUDE, {"max_tokens": 5}, {"max_tokens": 5}, (), ()),
    (CLAUDE, {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}, ("max_tokens",), ()),
    (CLAUDE, {"max_tokens": 5.0}, {"max_tokens": 5}, (), ()),
    (CLAUDE, {"max_tokens": 100_000}, {"max_tokens": 64_000}, (), ("max_tokens=64000",)),
    (CLAUDE, {"temperature": 0.5}, {"temperature": 0.5}, (), ()),
    (CLAUDE, {"temperature": 1.5}, {"temperature": 1}, (), ("temperature=1",)),
    (CLAUDE, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",), ()),
    (CLAUDE, {"top_p": 0.9, "top_k": 3.0}, {"top_p": 0.9, "top_k": 3}, (), ()),
    (CLAUDE, {"top_k": -1}, {}, ("top_k",), ()),
    (NEWEST, {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, {}, ("temperature", "top_p", "top_k"), ()),
    (NEWEST, {"temperature": 1, "top_p": 1}, {}, (), ()),
    ("glm-4.6", {"temperature": 0, "top_p": 0.9}, {"temperature": 0, "top_p": 0.9}, (), ()),
    ("MiniMax-M2.5", {"temperature": 0}, {"temperature": 0.01}, (), ("temperature=0.01",)),
    ("kimi-k2.5", {"top_p": 0}, {"top_p": 0.01}, (), ("top_p=0.01",)),
    (CLAUDE, {"stop": "END"}, {"stop_sequences": ["END"]}, (), ()),
    (CLAUDE, {"stop": ["a", "a", " ", ""]}, {"stop_sequences": ["a"]}, ("stop",), ()),
    (CLAUDE, {"stop": ["\n"]}, {}, ("stop",), ()),
    ("MiniMax-M2.5", {"stop": "END"}, {}, ("stop",), ()),
    (CLAUDE, {"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, (), ()),
    (CLAUDE, {"stream": False}, {}, (), ()),
    (CLAUDE, {"user": "u1"}, {"metadata": {"user_id": "u1"}}, (), ()),
    (
        CLAUDE,
        {"metadata": {"user_id": "u3", "k": "v"}, "safety_identifier": "u2", "user": "u1"},
        {"metadata": {"user_id": "u1"}},
        ("metadata", "safety_identifier", "metadata.user_id"),
        (),
    ),
    (CLAUDE, {"metadata": {"user_id": "u3"}}, {"metadata": {"user_id": "u3"}}, (), ()),
    (CLAUDE, {"system": "s"}, {"system": "s"}, (), ()),
    (CLAUDE, {"system": [{"type": "text", "text": "s"}]}, {"system": "s"}, (), ()),
    (
        CLAUDE,
        {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        (),
        (),
    ),
    (CLAUDE, {"service_tier": "priority"}, {"service_tier": "auto"}, (), ()),
    (CLAUDE, {"service_tier": "default"}, {"service_tier": "standard_only"}, (), ()),
    (CLAUDE, {"service_tier": "flex"}, {}, ("service_tier",), ()),
    ("glm-4.6", {"service_tier": "auto"}, {}, (), ()),
    (CLAUDE, {"n": 1, "logprobs": False, "frequency_penalty": 0, "modalities": ["text"]}, {}, (), ()),
    (CLAUDE, {"seed": 1, "logit_bias": {"5": 1}, "store": True}, {}, ("seed", "logit_bias", "store"), ()),
    (CLAUDE, {"container": "c1"}, {"container": "c1"}, (), ()),
    ("glm-4.6", {"container": "c1", "mcp_servers": []}, {}, ("container", "mcp_servers"), ()),
]


@pytest.mark.parametrize(
    ("model", "fields", "expected", "ignored", "adjusted"), MAPPED, ids=lambda value: str(value)[:50]
)
def test_parameters_are_mapped_clamped_or_dropped(
    model: str, fields: Json, expected: Json, ignored: tuple[str, ...], adjusted: tuple[str, ...]
) -> None:
    found = translation(model=model, **fields)
    plain = {key: value for key, value in body(model=model).items() if key != "max_tokens"}
    sent = {key: value for key, value in found.body.items() if key not in plain and key != "max_tokens"}
    assert sent | {"max_tokens": found.body["max_tokens"]} == {"max_tokens": body(model=model)["max_tokens"]} | expected
    assert (found.ignored, found.adjusted) == (ignored, adjusted)


@pytest.mark.parametrize("id", ["ann@example.com", "+1 (555) 123-4567", "x" * 513])
def test_a_personal_or_long_user_id_goes_as_a_fingerprint(id: str) -> None:
    found = translation(user=id)
    sent = found.body["metadata"]["user_id"]
    assert id not in sent
    assert len(sent) == 40
    assert sent == body(user=id)["metadata"]["user_id"]
    assert found.adjusted == ("user=a fingerprint",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"n": 2}, "n"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"modalities": ["text", "audio"]}, "modalities[1]"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"verbosity": "loud"}, "verbosity"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"anthropic_beta": "a\r\nx-evil: 1"}, "anthropic_beta"),
        ({"extra_headers": {"Anthropic-Beta": "a b"}}, "extra_headers.Anthropic-Beta"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(fields: Json, param: str) -> None:
    request = {"model": CLAUDE, "messages": [HELLO], **fields}
    assert refused_param(request, Profile()) == param


@pytest.mark.parametrize("fields", [{"seed": 1}, {"temperature": 1.5}, {"response_format": {"type": "json_object"}}])
def test_strict_parameters_make_an_error_of_what_would_be_told(fields: Json) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation(options={"strict_params": True}, **fields)
    assert caught.value.param == next(iter(fields))
    assert translation(options={"strict_params": True}, temperature=1).body["temperature"] == 1


def test_betas_come_from_the_body_and_from_the_fields_that_need_them() -> None:
    assert messages_betas({"anthropic_beta": "x-1, y-2,"}) == ("x-1", "y-2")
    assert messages_betas({"extra_headers": {"Anthropic-Beta": "x-1"}}) == ("x-1",)
    assert messages_betas({"mcp_servers": [{}]}) == ("mcp-client-2025-11-20",)
    assert messages_betas({"mcp_servers": [{}], "anthropic_beta": ["mcp-client-2026-09-15"]}) == (
        "mcp-client-2026-09-15",
    )
    assert messages_betas({"context_management": {}}) == ("context-management-2025-06-27",)
    assert messages_betas({"container": "c"}) == (), "needs none"


def messages_betas(fields: Json) -> tuple[str, ...]:
    request = {"model": "m", "messages": [HELLO], **fields}
    return messages_request(request, "m", "m", Profile(anthropic_extensions=True), Options()).betas


def test_the_answer_goes_by_the_name_that_the_client_asked_for() -> None:
    found = messages_request({"messages": [HELLO]}, "gpt-4o", "glm-4.6", Profile(), Options())
    assert (found.body["model"], found.answer.model) == ("glm-4.6", "gpt-4o")


def test_nesting_beyond_reason_is_refused() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"properties": {"a": deep}}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        messages_request({"messages": [HELLO], "tools": [tool]}, "m", "m", Profile(), Options())


def test_fields_that_were_refused_are_left_out() -> None:
    profile = Profile(refused_fields=("metadata", "stop_sequences", "messages"))
    found = translation(profile=profile, model="m", user="u", stop="END", temperature=0.5)
    assert set(found.body) == {"model", "messages", "max_tokens", "temperature"}
    assert found.ignored == ("metadata", "stop_sequences")


def test_the_usage_chunk_is_told_to_the_way_back() -> None:
    flags = [translation(stream_options=o).answer.include_usage for o in (None, {}, {"include_usage": True})]
    assert flags == [False, False, True]


def test_long_conversations_keep_their_shape() -> None:
    rounds = itertools.chain.from_iterable(
        [user(f"{n}"), call(f"c{n}"), result(f"c{n}"), {"role": "assistant", "content": "ok"}] for n in range(50)
    )
    found = body(*rounds, user("end"), tools=[WEATHER])
    assert len(found["messages"]) == 50 * 4 + 1
