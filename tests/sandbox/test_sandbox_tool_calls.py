"""Which tools the sandbox calls, and with which arguments."""

from typing import Any

import pytest

from app.sandbox.answer import answer
from app.sandbox.api_error import ApiError

WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
}
CLOCK = {
    "name": "get_time",
    "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
}
ROUTE = {
    "name": "plan_route",
    "input_schema": {
        "type": "object",
        "properties": {"origin": {"type": "string"}, "destination": {"type": "string"}},
        "required": ["origin", "destination"],
    },
}
PING = {"name": "ping", "input_schema": {"type": "object", "properties": {}}}
READ = {"name": "Read", "input_schema": {"type": "object", "properties": {}}}
SERVER_TOOL = {"type": "web_search_20250305", "name": "web_search"}


def calls(text: str, *tools: dict[str, Any], **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    messages = [{"role": "user", "content": text}]
    request = {"model": "m", "max_tokens": 1_000, "messages": messages, "tools": list(tools), **fields}
    message = answer(request).message
    found = [(block["name"], block["input"]) for block in message["content"] if block["type"] == "tool_use"]
    assert message["stop_reason"] == ("tool_use" if found else "end_turn")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get_weather: weather in Paris", [("get_weather", {"city": "Paris"})]),
        ("What is the weather in Paris? Use get_weather.", [("get_weather", {"city": "Paris"})]),
        ("get the weather for New York", [("get_weather", {"city": "New York"})]),
        ("Use the tool for the weather in Boston, MA", [("get_weather", {"city": "Boston, MA"})]),
        ("call a function about Århus", [("get_weather", {"city": "Århus"})]),
        ("get_weather in paris please", [("get_weather", {"city": "paris"})]),
        ('get_weather for "the old town"', [("get_weather", {"city": "the old town"})]),
        ("get_weather", [("get_weather", {"city": "sandbox city"})]),
        (
            "get_weather for Paris and for Rome",
            [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})],
        ),
        (
            "get_weather for Paris, Rome and Oslo",
            [("get_weather", {"city": city}) for city in ("Paris", "Rome", "Oslo")],
        ),
        (
            "get_time in Tokyo and get_weather for Paris",
            [("get_time", {"zone": "Tokyo"}), ("get_weather", {"city": "Paris"})],
        ),
        (
            "For Paris: get_weather and get_time",
            [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Paris"})],
        ),
        ("plan_route from Bern to Basel", [("plan_route", {"origin": "Bern", "destination": "Basel"})]),
        (
            'get_weather {"city": "Oslo", "unit": "celsius"}',
            [("get_weather", {"city": "Oslo", "unit": "celsius"})],
        ),
        ('get_weather({"city": "Oslo"})', [("get_weather", {"city": "Oslo"})]),
        ("ping", [("ping", {})]),
        ("Please Read it", [("Read", {})]),
    ],
)
def test_user_asks_for_a_tool(text: str, expected: list[tuple[str, dict[str, Any]]]) -> None:
    assert calls(text, WEATHER, CLOCK, ROUTE, PING, READ) == expected


@pytest.mark.parametrize(
    "text",
    ["What is the weather in Paris?", "my_get_weather", "get_weather2", "read it", "web_search for news"],
)
def test_user_asks_for_none(text: str) -> None:
    assert calls(text, WEATHER, READ, SERVER_TOOL) == []


def test_no_tools_no_calls() -> None:
    assert calls("use the tool get_weather") == []


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "any"}, [("get_weather", {"city": "Paris"})]),
        ({"type": "tool", "name": "get_time"}, [("get_time", {"zone": "Paris"})]),
        ({"type": "auto"}, []),
        ({"type": "none"}, []),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: list[tuple[str, dict[str, Any]]]) -> None:
    assert calls("How is life in Paris?", WEATHER, CLOCK, tool_choice=choice) == expected


def test_any_prefers_the_tool_that_is_mentioned() -> None:
    assert calls("get_time in Rome", WEATHER, CLOCK, tool_choice={"type": "any"}) == [("get_time", {"zone": "Rome"})]


def test_none_forbids_what_the_user_asks() -> None:
    assert calls("get_weather in Rome", WEATHER, tool_choice={"type": "none"}) == []


def test_forced_tool_wins_over_the_one_mentioned() -> None:
    assert calls("get_weather in Rome", WEATHER, CLOCK, tool_choice={"type": "tool", "name": "get_time"}) == [
        ("get_time", {"zone": "Rome"})
    ]


@pytest.mark.parametrize("kind", ["auto", "any"])
def test_parallel_calls_can_be_disabled(kind: str) -> None:
    choice = {"type": kind, "disable_parallel_tool_use": True}
    assert calls("get_weather for Paris and Rome", WEATHER, tool_choice=choice) == [("get_weather", {"city": "Paris"})]


def test_calls_are_announced_unless_forced() -> None:
    request = {
        "model": "m",
        "max_tokens": 500,
        "tools": [PING],
        "messages": [{"role": "user", "content": "ping"}],
    }
    assert [block["type"] for block in answer(request).message["content"]] == ["text", "tool_use"]
    forced = answer(request | {"tool_choice": {"type": "any"}}).message["content"]
    assert [block["type"] for block in forced] == ["tool_use"]


def test_ids_differ_within_an_answer_and_between_rounds() -> None:
    question = {"role": "user", "content": "get_weather for Paris and Rome"}
    request = {"model": "m", "max_tokens": 500, "tools": [WEATHER], "messages": [question]}
    first = answer(request).message["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "sun"} for block in first if "id" in block
    ]
    rounds = [
        question,
        {"role": "assistant", "content": first},
        {"role": "user", "content": results},
        question,
    ]
    second = answer(request | {"messages": [*rounds, {"role": "assistant", "content": "ok"}, question]}).message
    ids = [block["id"] for block in [*first, *second["content"]] if block["type"] == "tool_use"]
    assert len(ids) == len(set(ids)) == 4
    assert all(tool_id.startswith("toolu_01") for tool_id in ids)


def round_of_results(**fields: Any) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": "get_weather in Paris"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"},
                {"type": "text", "text": "now get_weather again"},
            ],
        },
    ]
    return {"model": "m", "max_tokens": 500, "tools": [WEATHER, CLOCK], "messages": messages, **fields}


def test_results_end_the_calling() -> None:
    assert [block["type"] for block in answer(round_of_results()).message["content"]] == ["text"]


def test_forced_call_after_results_takes_the_tool_not_seen_yet() -> None:
    [block] = answer(round_of_results(tool_choice={"type": "any"})).message["content"]
    assert block["name"] == "get_time"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "integer", "minimum": "1"}}},
        {"properties": {"a": {"type": "array", "minItems": "1"}}},
        {"properties": {"a": {"maxLength": "1"}}},
        {"properties": {"a": {"$ref": "#/$defs/b", "allOf": [{"required": 1}]}}, "required": [[]]},
    ],
)
def test_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match=r"tools: f: input_schema: JSON schema is invalid\.") as refused:
        calls("use the tool", {"name": "f", "input_schema": schema})
    assert refused.value.status == 400


def test_directives_are_not_arguments() -> None:
    schema = {"type": "object", "properties": {"days": {"type": "number"}}}
    text = "sandbox:slow 0.2 forecast for 3 days"
    assert calls(text, {"name": "forecast", "input_schema": schema}, PING) == [("forecast", {"days": 3})]
    assert calls(text, {"name": "sandbox", "input_schema": schema}) == []


@pytest.mark.parametrize("tool", [{"input_schema": {}}, {"name": "", "input_schema": {}}, {"type": "mcp_toolset"}])
def test_tool_without_a_name_is_never_called(tool: dict[str, Any]) -> None:
    assert calls("use the tool", tool) == []
    assert calls("use the tool", tool, PING, tool_choice={"type": "tool", "name": ["x"]}) == [("ping", {})]


def test_call_that_does_not_fit_max_tokens_is_left_out() -> None:
    messages = [{"role": "user", "content": "get_weather in Paris"}]
    request = {"model": "m", "max_tokens": 10, "tools": [WEATHER], "messages": messages}
    message = answer(request).message
    assert [block["type"] for block in message["content"]] == ["text"]
    assert message["stop_reason"] == "max_tokens"
