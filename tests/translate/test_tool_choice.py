"""app/translate/tool_choice.py: how allowed tools may be written, and choices that force nothing."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from tests.translate.requests import NEWEST, WEATHER, Json, body, call, result, translation, user

GREP: Json = {"type": "custom", "custom": {"name": "grep", "description": "Search."}}
ANY = {"type": "any"}


def allowing(tool: Any, **fields: Any) -> Json:
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool], **fields}}


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"type": "function", "function": {"name": "get_weather"}}, "get_weather"),
        ({"type": "function", "name": "get_weather"}, "get_weather"),
        ({"function": {"name": "get_weather"}}, "get_weather"),
        ({"name": "get_weather"}, "get_weather"),
        ({"type": "custom", "custom": {"name": "grep"}}, "grep"),
        ({"type": "custom", "name": "grep"}, "grep"),
    ],
    ids=str,
)
def test_an_allowed_tool_may_be_written_in_each_apis_way(tool: Json, name: str) -> None:
    sent = body(tools=[WEATHER, GREP], tool_choice=allowing(tool))
    assert [tool["name"] for tool in sent["tools"]] == [name]
    assert sent["tool_choice"] == ANY


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        (allowing({"function": {"name": "x"}}), "tool_choice.allowed_tools.tools[0].function.name"),
        (allowing({"type": "custom", "custom": {"name": "x"}}), "tool_choice.allowed_tools.tools[0].custom.name"),
        (allowing({"name": "x"}), "tool_choice.allowed_tools.tools[0].name"),
        (allowing({"name": "get_weather"}, mode="none"), "tool_choice.allowed_tools.mode"),
        (allowing({"name": "get_weather"}, mode="any"), "tool_choice.allowed_tools.mode"),
        ({"name": "get_weather"}, "tool_choice.type"),
        ({"type": "some"}, "tool_choice.type"),
        (allowing({"name": "get_weather"}, tools=None), "tool_choice.allowed_tools.tools"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_choice_is_named(choice: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        body(tools=[WEATHER], tool_choice=choice)
    assert refused.value.param == param


SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}


def test_an_allowed_tool_that_the_upstream_does_not_know_is_left_out_with_the_others() -> None:
    both = {"tools": [{"type": "function", "function": {"name": "get_weather"}}, SEARCH]}
    found = translation(model="m", profile=Profile(), tools=[WEATHER, SEARCH], tool_choice=allowing(WEATHER, **both))
    assert [tool["name"] for tool in found.body["tools"]] == ["get_weather"]
    assert found.body["tool_choice"] == ANY
    assert found.ignored == ("tools[1]",)
    own = WEATHER | {"function": {"name": "web_search"}}
    assert body(model="m", profile=Profile(), tools=[own, SEARCH], tool_choice=allowing(SEARCH))["tool_choice"] == ANY


def test_a_tool_that_the_upstream_does_not_know_cannot_be_demanded() -> None:
    with pytest.raises(InvalidRequest, match="not one that this upstream knows") as refused:
        body(model="m", profile=Profile(), tools=[WEATHER, SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    assert refused.value.param == "tool_choice.name"


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_a_choice_that_forces_nothing_stays_on_a_model_that_cannot_be_forced(mode: str) -> None:
    found = translation(model=NEWEST, tools=[WEATHER], tool_choice=mode)
    assert found.body["tool_choice"] == {"type": mode}
    assert found.adjusted == ()
    assert "system" not in found.body


def test_parallel_calls_stay_off_where_a_forced_choice_becomes_an_instruction() -> None:
    found = translation(model=NEWEST, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False)
    assert found.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_none_is_reported_only_where_the_tools_must_stay() -> None:
    profile = Profile(tool_choice_none=False)
    asked: Json = {"model": "m", "profile": profile, "tools": [WEATHER], "tool_choice": "none"}
    assert translation(**asked).adjusted == ()
    assert translation(user("hi"), call(), result(), **asked).adjusted == ("tool_choice=auto",)
    without_tools = translation(user("hi"), call(), result(), model="m", profile=Profile())
    assert without_tools.body["tool_choice"] == {"type": "none"}, "the stubs of old calls are not to be called"
