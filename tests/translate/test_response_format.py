"""JSON answers: natively, by a forced tool, or by an instruction."""

import json

import pytest

from tests.translate.requests import NEWEST, WEATHER, Json, body, call, result, translation, user

SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = SCHEMA | {"additionalProperties": False}
OPEN = {"type": "object", "additionalProperties": {"type": "number"}}
ANY_OBJECT = {"type": "json_object"}
FORCED = {"type": "tool", "name": "answer"}


def wish(schema: Json | None = SCHEMA, **fields: object) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **fields}}


def test_text_is_no_wish() -> None:
    assert body(response_format={"type": "text"}) == body(response_format=None) == body()


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-7", "claude-opus-5", NEWEST])
def test_a_schema_goes_natively_where_the_model_has_structured_outputs(model: str) -> None:
    found = translation(model=model, response_format=wish(strict=True), tools=[WEATHER], reasoning_effort="high")
    assert found.body["output_config"]["format"] == {"type": "json_schema", "schema": CLOSED}
    assert found.body["thinking"]["type"] != "disabled"
    assert found.answer.json_answer is None
    assert [tool["name"] for tool in found.body["tools"]] == ["get_weather"]


@pytest.mark.parametrize(
    ("model", "schema"), [("claude-opus-4-1", SCHEMA), ("glm-4.6", SCHEMA), ("claude-sonnet-4-5", OPEN)]
)
def test_elsewhere_a_tool_is_forced(model: str, schema: Json) -> None:
    found = translation(model=model, response_format=wish(schema, description="Where."))
    (tool,) = found.body["tools"]
    assert tool["name"] == "answer"
    assert tool["description"].startswith("Where.\n")
    assert tool["input_schema"].items() >= schema.items()
    assert found.body["tool_choice"] == FORCED
    assert found.answer.json_answer == "tool"
    assert found.answer.tool("answer").json_answer
    assert found.adjusted == ("response_format=the tool answer",)


def test_the_forced_tool_leaves_room_for_the_users_own() -> None:
    found = translation(model="glm-4.6", response_format=wish(), tools=[WEATHER])
    assert [tool["name"] for tool in found.body["tools"]] == ["get_weather", "answer"]
    assert found.body["tool_choice"] == {"type": "any"}
    assert found.body["thinking"] == {"type": "disabled"}
    assert body(model="glm-4.6", response_format=wish(), tools=[WEATHER], tool_choice="none")["tool_choice"] == FORCED
    in_loop = body(user("hi"), call(), result(), model="glm-4.6", response_format=wish(), tools=[WEATHER])
    assert in_loop["tool_choice"] == {"type": "any"}


def test_the_forced_tools_name_is_its_own() -> None:
    own = {"type": "function", "function": {"name": "answer"}}
    found = translation(model="glm-4.6", response_format=wish(), tools=[own])
    assert [tool["name"] for tool in found.body["tools"]] == ["answer", "answer_answer"]
    assert not found.answer.tool("answer").json_answer


def test_only_allowed_tools_stand_beside_the_forced_one() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    only = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [WEATHER | {"function": {"name": "get_weather"}}]},
    }
    sent = body(model="glm-4.6", response_format=wish(), tools=[other, WEATHER], tool_choice=only)
    assert [tool["name"] for tool in sent["tools"]] == ["get_weather", "answer"]


def test_any_object_is_asked_for_by_a_tool_that_is_open_to_any() -> None:
    found = translation(response_format=ANY_OBJECT)
    (tool,) = found.body["tools"]
    assert tool["input_schema"] == {"type": "object", "properties": {}, "additionalProperties": True}
    assert found.body["tool_choice"] == {"type": "tool", "name": "json_answer"}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (NEWEST, {}),
        ("glm-5.2", {}),
        ("glm-4.6", {"reasoning_effort": "high"}),
        ("claude-opus-4-1", {"reasoning_effort": "high"}),
    ],
)
def test_where_no_tool_can_be_forced_an_instruction_asks_for_it(model: str, fields: Json) -> None:
    found = translation(
        {"role": "system", "content": "Be brief."}, user("hi"), model=model, response_format=ANY_OBJECT, **fields
    )
    assert found.body["system"].startswith("Be brief.\n\nAnswer with one JSON object only")
    assert "tools" not in found.body
    assert found.answer.json_answer == "text"
    assert found.adjusted == ("response_format=an instruction",)


def test_the_instruction_holds_the_schema() -> None:
    sent = body(model=NEWEST, response_format=wish(OPEN))
    assert json.dumps(OPEN, separators=(",", ":")) in sent["system"]


def test_a_prefill_and_a_forced_tool_exclude_each_other() -> None:
    sent = body(user("hi"), {"role": "assistant", "content": "{"}, model="claude-opus-4-1", response_format=wish())
    assert "tools" not in sent
    assert "Answer with one JSON object only" in sent["system"]


def test_a_prefilled_answer_goes_without_native_output() -> None:
    sent = body(user("hi"), {"role": "assistant", "content": "{"}, response_format=wish())
    assert "output_config" not in sent
    assert "Answer with one JSON object only" in sent["system"]


@pytest.mark.parametrize("in_result", [False, True])
def test_documents_that_are_cited_go_without_native_output(in_result: bool) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Paris"}
    cited = {"type": "document", "source": source, "citations": {"enabled": True}}
    history = [user("hi"), call(), result(content=[cited])] if in_result else [user([cited])]
    found = translation(*history, response_format=wish(), tools=[WEATHER])
    assert "output_config" not in found.body
    assert found.answer.json_answer == "tool"
    uncited = [user([cited | {"citations": {"enabled": False}}])]
    assert "output_config" in body(*uncited, response_format=wish())


def test_any_object_may_come_with_a_schema() -> None:
    sent = body(response_format=ANY_OBJECT | {"schema": SCHEMA})
    assert sent["output_config"]["format"] == {"type": "json_schema", "schema": CLOSED}


def test_the_clients_own_forced_tool_wins() -> None:
    sent = body(model="glm-4.6", response_format=wish(), tools=[WEATHER], tool_choice="required")
    assert [tool["name"] for tool in sent["tools"]] == ["get_weather"]
    assert sent["tool_choice"] == {"type": "any"}
    newest = body(model=NEWEST, response_format=wish(OPEN), tools=[WEATHER], tool_choice="required")
    assert "JSON object" in newest["system"]
    assert "calling one of the tools" in newest["system"]


def test_a_schema_that_structured_outputs_cannot_compile_goes_by_the_tool() -> None:
    many = {"type": "object", "properties": {str(n): {"type": "string"} for n in range(30)}}
    assert translation(response_format=wish(many)).answer.json_answer == "tool"
    assert (
        translation(response_format=wish({"type": "array", "items": {"type": "string"}})).answer.json_answer == "tool"
    )
    assert translation(response_format=wish(None)).answer.json_answer == "tool"
