"""Tools and tool_choice: functions, custom tools, legacy functions, Anthropic's own."""

import time
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from tests.translate.requests import CLAUDE, NEWEST, WEATHER, Json, body, call, result, translation, turns, user

CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SENT = {"name": "get_weather", "description": "Get the weather.", "input_schema": CITY}
MARK = {"cache_control": {"type": "ephemeral"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def function(name: str = "f", **fields: Any) -> Json:
    return {"type": "function", "function": {"name": name, **fields}}


def definitions(*tools: Json, **fields: Any) -> list[Json]:
    found: list[Json] = body(tools=list(tools), **fields)["tools"]
    return found


EMPTY = {"type": "object", "properties": {}}
TOOLS: list[tuple[Json, Json]] = [
    (WEATHER, SENT),
    (function(), {"name": "f", "input_schema": EMPTY}),
    (function(description="", parameters=None, strict=None), {"name": "f", "description": "", "input_schema": EMPTY}),
    (function(parameters=True), {"name": "f", "input_schema": EMPTY}),
    (WEATHER | MARK, SENT | MARK),
    ({"type": "function", "name": "f"}, {"name": "f", "input_schema": EMPTY}),
    ({"function": {"name": "f"}}, {"name": "f", "input_schema": EMPTY}),
    ({"name": "f", "input_schema": CITY, "type": "custom"}, {"name": "f", "input_schema": CITY}),
    ({"name": "f", "input_schema": {"type": "string"}}, {"name": "f", "input_schema": {"type": "object"}}),
    (SEARCH | {"max_uses": 3, "user_location": None}, SEARCH | {"max_uses": 3}),
    (
        {"type": "custom", "custom": {"name": "f", "description": "d"}},
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
        },
    ),
]


@pytest.mark.parametrize(("tool", "expected"), TOOLS, ids=lambda value: str(value)[:60])
def test_a_tool_becomes_one_that_the_api_knows(tool: Json, expected: Json) -> None:
    (found,) = definitions(tool)
    if expected["name"] == "f" and expected.get("input_schema") == {"type": "object"}:
        assert found["input_schema"]["properties"] == {"value": {"type": "string"}}
    else:
        assert found == expected


def test_a_grammar_is_told_in_the_description() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a+/"}}
    flat = {"type": "grammar", "syntax": "lark", "definition": "start: /a+/"}
    for format in (grammar, flat):
        (found,) = definitions({"type": "custom", "custom": {"name": "f", "format": format}})
        described = found["input_schema"]["properties"]["input"]["description"]
        assert described == "Must match this lark grammar:\nstart: /a+/"


def test_names_that_the_api_refuses_are_replaced_and_restored() -> None:
    odd = ["read file", "a.b/c", "über", "x" * 200]
    found = translation(
        tools=[function(name) for name in odd], tool_choice={"type": "function", "function": {"name": "über"}}
    )
    sent = [tool["name"] for tool in found.body["tools"]]
    assert len(set(sent)) == 4
    assert [found.answer.tool(name).name for name in sent] == odd
    assert found.body["tool_choice"] == {"type": "tool", "name": sent[2]}
    again = body(user("hi"), call(name="über"), result(), tools=[function(name) for name in reversed(odd)])
    assert turns(again)[1][1][0]["name"] == sent[2]


def test_strict_is_kept_where_the_model_keeps_it() -> None:
    tool = function(parameters=CITY | {"additionalProperties": False}, strict=True)
    assert definitions(tool)[0]["strict"] is True
    found = translation(tools=[tool], model="glm-4.6")
    assert "strict" not in found.body["tools"][0]
    assert found.ignored == ("tools[0].function.strict",)


def test_strict_schemas_are_brought_into_the_subset() -> None:
    limited = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    (found,) = definitions(function(parameters=limited, strict=True))
    number = {"type": "integer", "description": "(minimum: 1)"}
    closed = {"type": "object", "properties": {"n": number}, "required": ["n"], "additionalProperties": False}
    assert found == {"name": "f", "input_schema": closed, "strict": True}


@pytest.mark.parametrize(
    ("count", "parameters", "kept"),
    [
        (25, CITY, 20),
        (10, {"type": "object", "properties": {"a": {}, "b": {}, "c": {}, "d": {}, "e": {}}}, 4),
        (
            10,
            {
                "type": "object",
                "properties": {"a": {"type": ["string", "null"]}, "b": {"anyOf": [{}, {}]}},
                "required": ["a", "b"],
            },
            8,
        ),
        (1, {"type": "object", "additionalProperties": True}, 0),
        (1, {"type": "object", "properties": {"a": {}}, "additionalProperties": {}}, 0),
        (1, {"type": "object", "properties": {}, "required": [], "additionalProperties": False}, 1),
        (1, {"type": "array"}, 1),
    ],
)
def test_strict_tools_stay_within_what_the_grammar_compiler_takes(count: int, parameters: Json, kept: int) -> None:
    tools = definitions(*(function(f"f{n}", parameters=parameters, strict=True) for n in range(count)))
    assert sum(tool.get("strict", False) for tool in tools) == kept
    assert all(tool.get("strict") for tool in tools[:kept])


def test_a_name_can_be_offered_once() -> None:
    found = translation(tools=[function(description="1"), function(description="1"), function(description="2")])
    assert [tool["description"] for tool in found.body["tools"]] == ["1"]
    assert found.ignored == ("tools[2].function",)


def test_server_tools_go_to_anthropic_only() -> None:
    found = translation(tools=[SEARCH, WEATHER], model="glm-4.6")
    assert [tool["name"] for tool in found.body["tools"]] == ["get_weather"]
    assert found.ignored == ("tools[0]",)


def test_toolsets_have_no_name() -> None:
    servers = [{"type": "url", "name": name, "url": f"https://{name}.example"} for name in ("a", "b")]
    toolsets = [{"type": "mcp_toolset", "mcp_server_name": name} for name in ("a", "b")]
    found = translation(mcp_servers=servers, tools=[*toolsets, WEATHER])
    assert found.body["tools"] == [*toolsets, SENT]
    browser = {"type": "browser_toolset_20260801"}
    assert definitions(browser) == [browser]
    assert translation(tools=[browser, WEATHER], model="glm-4.6").ignored == ("tools[0]",)


ADVANCED = {
    "defer_loading": True,
    "eager_input_streaming": True,
    "allowed_callers": ["direct"],
    "input_examples": [{"city": "Paris"}],
}


@pytest.mark.parametrize("tool", [WEATHER, SENT], ids=["OpenAI's form", "Anthropic's form"])
def test_what_anthropic_alone_knows_of_a_tool(tool: Json) -> None:
    assert definitions(function("other"), tool | ADVANCED)[1] == SENT | ADVANCED
    found = translation(tools=[tool | ADVANCED], model="glm-4.6")
    assert found.body["tools"] == [SENT]
    assert found.ignored == tuple(f"tools[0].{name}" for name in ADVANCED)


def test_one_tool_at_least_is_there_from_the_start() -> None:
    found = translation(tools=[WEATHER | {"defer_loading": True}])
    assert found.body["tools"] == [SENT]
    assert found.adjusted == ("tools[].defer_loading=False",)
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [NAMED]}
    narrowed = definitions(WEATHER | {"defer_loading": True}, function("other"), tool_choice=allowed)
    assert narrowed == [SENT]


def test_web_search_options_become_the_server_tool() -> None:
    place = {"type": "approximate", "approximate": {"city": "Rome", "country": "IT"}}
    asked = {"search_context_size": "high", "user_location": place}
    assert body(web_search_options=asked)["tools"] == [
        SEARCH | {"max_uses": 10, "user_location": {"type": "approximate", "city": "Rome", "country": "IT"}}
    ]
    assert body(web_search_options={})["tools"] == [SEARCH | {"max_uses": 5}]
    assert translation(web_search_options={}, model="glm-4.6").ignored == ("web_search_options",)
    taken = translation(web_search_options={}, tools=[function("web_search")])
    assert (len(taken.body["tools"]), taken.ignored) == (1, ("web_search_options",))


AUTO, ANY, NONE = ({"type": kind} for kind in ("auto", "any", "none"))
ONE = {"type": "tool", "name": "get_weather"}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
CHOICES: list[tuple[Any, Json | None]] = [
    (None, None),
    ("auto", AUTO),
    ("none", NONE),
    ("required", ANY),
    (NAMED, ONE),
    ({"function": {"name": "get_weather"}}, ONE),
    ({"type": "function", "name": "get_weather"}, ONE),
    ({"type": "tool", "name": "get_weather"}, ONE),
    ({"type": "any"}, ANY),
    ({"type": "auto", "disable_parallel_tool_use": True}, AUTO | {"disable_parallel_tool_use": True}),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}, AUTO),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}, ANY),
    ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]}, ANY),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES, ids=str)
def test_every_form_of_tool_choice(choice: Any, expected: Json | None) -> None:
    sent = body(tools=[WEATHER, function("other")], tool_choice=choice)
    assert sent.get("tool_choice") == expected
    allowed = isinstance(choice, dict) and choice.get("type") == "allowed_tools"
    assert len(sent["tools"]) == (1 if allowed else 2)


def test_parallel_calls_can_be_switched_off() -> None:
    off = {"disable_parallel_tool_use": True}
    for choice, expected in ((None, AUTO | off), ("required", ANY | off), (NAMED, ONE | off), ("none", NONE)):
        assert body(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)["tool_choice"] == expected
    assert "tool_choice" not in body(tools=[WEATHER], parallel_tool_calls=True)
    assert "tool_choice" not in body(parallel_tool_calls=False)


def test_a_choice_without_tools_is_dropped() -> None:
    for choice, ignored in (("auto", ()), ("none", ()), ("required", ("tool_choice",)), (NAMED, ("tool_choice",))):
        found = translation(tool_choice=choice, tools=[])
        assert "tool_choice" not in found.body
        assert found.ignored == ignored


def test_a_model_that_cannot_be_forced_is_told_what_to_do() -> None:
    found = translation(model=NEWEST, tools=[WEATHER], tool_choice=NAMED)
    assert found.body["tool_choice"] == AUTO
    assert found.body["system"] == "Answer by calling the tool get_weather."
    assert found.adjusted == ("tool_choice=auto and an instruction",)
    assert (
        body(model=NEWEST, tools=[WEATHER], tool_choice="required")["system"] == "Answer by calling one of the tools."
    )


def test_none_where_the_upstream_does_not_know_it() -> None:
    profile = Profile(tool_choice_none=False)
    assert "tools" not in body(model="m", profile=profile, tools=[WEATHER], tool_choice="none")
    with_calls = body(user("hi"), call(), result(), model="m", profile=profile, tools=[WEATHER], tool_choice="none")
    assert (len(with_calls["tools"]), "tool_choice" in with_calls) == (1, False)


def test_legacy_functions() -> None:
    found = translation(functions=[WEATHER["function"]], function_call={"name": "get_weather"})
    assert found.body["tools"] == [SENT]
    # A legacy answer has room for one call.
    assert found.body["tool_choice"] == ONE | {"disable_parallel_tool_use": True}
    assert found.answer.legacy
    automatic = body(functions=[WEATHER["function"]], function_call="auto")["tool_choice"]
    assert automatic == AUTO | {"disable_parallel_tool_use": True}
    assert not translation(tools=[WEATHER], functions=[function("g")["function"]]).answer.legacy


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({"tools": [function("")]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [WEATHER], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": []}}, "tool_choice.type"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice.function.name",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
            "tool_choice.allowed_tools.tools",
        ),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"web_search_options": {"search_context_size": "huge"}}, "web_search_options.search_context_size"),
    ],
)
def test_an_odd_tool_or_choice_is_refused_by_name(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation(model=CLAUDE, **fields)
    assert caught.value.param == param


def test_many_allowed_tools_are_sorted_out_in_linear_time() -> None:
    tools = [function(f"f{number}") for number in range(30_000)]
    named = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools[15_000:]}}
    began = time.monotonic()
    assert len(definitions(*tools, tool_choice=named)) == 15_000
    assert time.monotonic() - began < 5, "it grew with the square"
