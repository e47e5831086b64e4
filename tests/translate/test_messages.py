"""Turns legal by construction: order, results, repairs, the beginning and the end of a conversation."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.messages import HistoryReader
from app.translate.report import Report
from app.translate.tools import toolbox
from tests.translate.requests import (
    NEWEST,
    WEATHER,
    Json,
    body,
    call,
    result,
    text,
    tool_result,
    tool_use,
    translation,
    turns,
    user,
)

HI = user("hi")
SYSTEM: Json = {"role": "system", "content": "Be brief."}
SYSTEM_ROLE = "claude-opus-4-8"


def said(content: Any) -> Json:
    return {"role": "assistant", "content": content}


def looped(*messages: Json, **fields: Any) -> list[tuple[str, list[Json]]]:
    return turns(body(HI, *messages, tools=[WEATHER], **fields))[1:]


CALLED = ("assistant", [tool_use()])
ANSWERED = ("user", [tool_result()])
MISSING = {"type": "tool_result", "tool_use_id": "call_1", "is_error": True}
LOOPS: dict[str, tuple[list[Json], list[tuple[str, list[Json]]]]] = {
    "one call": ([call(), result()], [CALLED, ANSWERED]),
    "one call after the other": (
        [call(), result(), call("call_2"), result("call_2")],
        [CALLED, ANSWERED, ("assistant", [tool_use("call_2")]), ("user", [tool_result("call_2")])],
    ),
    "results in call order, then the user's text": (
        [call(), result(), user("and?")],
        [CALLED, ("user", [tool_result(), text("and?")])],
    ),
    "parallel calls split over messages": (
        [call(), call("call_2"), result("call_2"), result()],
        [("assistant", [tool_use(), tool_use("call_2")]), ("user", [tool_result(), tool_result("call_2")])],
    ),
    "a user between call and result": (
        [call(), user("hurry"), result()],
        [CALLED, ("user", [tool_result(), text("hurry")])],
    ),
    "a system message between call and result": (
        [call(), SYSTEM, result()],
        [CALLED, ("user", [tool_result(), text("<system>\nBe brief.\n</system>")])],
    ),
    "text before the call": (
        [call(content="Let me see.")],
        [("assistant", [text("Let me see."), tool_use()]), ("user", [MISSING])],
    ),
    "text between call and result": (
        [call(), said("Let me see."), result()],
        [("assistant", [text("Let me see."), tool_use()]), ANSWERED],
    ),
    "text and a call between call and result": (
        [call(), said("And then?"), call("call_2"), result(), result("call_2")],
        [
            CALLED,
            ANSWERED,
            ("assistant", [text("And then?"), tool_use("call_2")]),
            ("user", [tool_result("call_2")]),
        ],
    ),
    "text after an unanswered call": (
        [call(), said("Never mind."), user("ok")],
        [CALLED, ("user", [MISSING]), ("assistant", [text("Never mind.")]), ("user", [text("ok")])],
    ),
    "two results: the last wins": ([call(), result(content="old"), result()], [CALLED, ANSWERED]),
    "a second result, much later": (
        [call(), result(), said("ok"), result(content="changed")],
        [CALLED, ANSWERED, ("assistant", [text("ok")]), ("user", [text("changed")])],
    ),
    "a late first result": (
        [call(), user("?"), said("Wait."), result()],
        [CALLED, ("user", [tool_result(), text("?")]), ("assistant", [text("Wait.")])],
    ),
    "an orphan": ([result("nobody", "lost")], []),
    "no result": ([call()], [CALLED, ("user", [MISSING])]),
    "an empty result": ([call(), result(content="")], [CALLED, ("user", [tool_result(content=None)])]),
    "a result of null": ([call(), result(content=None)], [CALLED, ("user", [tool_result(content=None)])]),
    "a result in parts": (
        [call(), result(content=[text("a"), text(" "), text("b")])],
        [CALLED, ("user", [tool_result(content=[text("a"), text("b")])])],
    ),
    "a result in one part": ([call(), result(content=[text("20 degrees")])], [CALLED, ANSWERED]),
    "one id in every turn": (
        [call(), result(content="1"), call(), result(content="2")],
        [
            CALLED,
            ("user", [tool_result(content="1")]),
            ("assistant", [tool_use("call_1_2")]),
            ("user", [tool_result("call_1_2", "2")]),
        ],
    ),
    "one id for two calls at once": (
        [call() | {"tool_calls": call()["tool_calls"] * 2}, result(content="1"), result(content="2")],
        [
            ("assistant", [tool_use(), tool_use("call_1_2")]),
            ("user", [tool_result(content="1"), tool_result("call_1_2", "2")]),
        ],
    ),
    "no id on the result": ([call(), {"role": "tool", "content": "20 degrees"}], [CALLED, ANSWERED]),
    "a result by name": (
        [call(), {"role": "tool", "name": "get_weather", "content": "20 degrees"}],
        [CALLED, ANSWERED],
    ),
}


@pytest.mark.parametrize("case", LOOPS)
def test_tool_loops(case: str) -> None:
    messages, expected = LOOPS[case]
    found = looped(*messages)
    last = found[-1] if found else None
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) or last is None or last[0] == "user"


def test_an_orphan_result_becomes_text_and_is_told() -> None:
    found = translation(HI, result("nobody", "lost"), tools=[WEATHER])
    assert turns(found.body) == [("user", [text("hi"), text("lost")])]
    assert found.adjusted == ("messages[1].role=user",)


def test_calls_without_ids_get_some_that_do_not_change() -> None:
    messages = [
        call(""),
        {"role": "tool", "content": "1"},
        call(""),
        {"role": "tool", "tool_call_id": "", "content": "2"},
    ]
    found = looped(*messages)
    ids = [blocks[0]["id"] for role, blocks in found if role == "assistant"]
    assert [blocks[0]["tool_use_id"] for role, blocks in found if role == "user"] == ids
    assert [blocks[0]["content"] for role, blocks in found if role == "user"] == ["1", "2"]
    assert len(set(ids)) == 2
    assert looped(*messages[:2]) == found[:2]


def test_the_legacy_function_role_finds_its_call_by_name() -> None:
    made = {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}}
    answer = {"role": "function", "name": "get_weather", "content": "20 degrees"}
    functions = [WEATHER["function"]]
    found = turns(body(HI, made, answer, functions=functions))
    assert found[1][1][0]["id"] == found[2][1][0]["tool_use_id"]
    assert found[2][1][0]["content"] == "20 degrees"


ROLES: dict[str, tuple[list[Json], Any, list[tuple[str, list[Json]]]]] = {
    "leading system and developer": (
        [SYSTEM, {"role": "developer", "content": [text("Be kind."), text(" ")]}, HI],
        "Be brief.\n\nBe kind.",
        [("user", [text("hi")])],
    ),
    "blank system": ([{"role": "system", "content": " "}, HI], None, [("user", [text("hi")])]),
    "adjacent roles": (
        [HI, user("there"), said("a"), said("b"), HI],
        None,
        [("user", [text("hi"), text("there")]), ("assistant", [text("a"), text("b")]), ("user", [text("hi")])],
    ),
    "blank texts and messages": (
        [HI, said(""), user([text(""), text("\n")]), said(None), HI],
        None,
        [("user", [text("hi"), text("hi")])],
    ),
    "a later system message": (
        [HI, said("a"), SYSTEM, user("go")],
        None,
        [
            ("user", [text("hi")]),
            ("assistant", [text("a")]),
            ("user", [text("<system>\nBe brief.\n</system>"), text("go")]),
        ],
    ),
    "an assistant first": (
        [said("a"), HI],
        None,
        [("user", [text(".")]), ("assistant", [text("a")]), ("user", [text("hi")])],
    ),
    "only system": ([SYSTEM, {"role": "system", "content": "Say hi."}], "Be brief.", [("user", [text("Say hi.")])]),
    "nothing at all": ([user("")], None, [("user", [text(".")])]),
    "a prefill": ([HI, said("It is \n")], None, [("user", [text("hi")]), ("assistant", [text("It is")])]),
    "a refusal": (
        [HI, {"role": "assistant", "content": None, "refusal": "No."}, HI],
        None,
        [("user", [text("hi")]), ("assistant", [text("No.")]), ("user", [text("hi")])],
    ),
    "assistant parts": (
        [HI, said([text("a"), {"type": "refusal", "refusal": "b"}, {"type": "output_text", "text": "c"}]), HI],
        None,
        [("user", [text("hi")]), ("assistant", [text("a"), text("b"), text("c")]), ("user", [text("hi")])],
    ),
}


@pytest.mark.parametrize("case", ROLES)
def test_roles(case: str) -> None:
    messages, system, expected = ROLES[case]
    found = body(*messages)
    assert found.get("system") == system
    assert turns(found) == expected


def test_no_prefill_is_continued_where_models_refuse_it() -> None:
    found = translation(HI, said("It is"), model="claude-opus-4-6")
    assert turns(found.body)[1:] == [("assistant", [text("It is")]), ("user", [text("Continue.")])]
    assert found.adjusted == ("messages=a last user turn 'Continue.'",)


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ([HI, SYSTEM], ["user", "system"]),
        ([HI, SYSTEM, said("a"), HI], ["user", "system", "assistant", "user"]),
        ([HI, said("a"), SYSTEM, HI], ["user", "assistant", "user"]),
        ([HI, SYSTEM, HI], ["user"]),
        ([HI, SYSTEM, SYSTEM], ["user", "system"]),
        ([HI, SYSTEM, SYSTEM, HI], ["user"]),
        ([HI, SYSTEM, SYSTEM, said("a"), HI], ["user", "system", "assistant", "user"]),
    ],
)
def test_a_later_system_message_keeps_its_role_where_it_may_stand(messages: list[Json], roles: list[str]) -> None:
    found = turns(body(*messages, model=SYSTEM_ROLE))
    assert [role for role, _ in found] == roles
    assert str(found).count("Be brief.") == messages.count(SYSTEM)


def test_thinking_alone_says_nothing() -> None:
    cut = {
        "role": "assistant",
        "content": None,
        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
    }
    found = translation(HI, cut, user("and?"))
    assert turns(found.body) == [("user", [text("hi"), text("and?")])]
    assert found.ignored == ("messages[].thinking_blocks",)


def test_what_has_no_place_upstream_is_told() -> None:
    found = translation(HI | {"name": "Ann"}, {"role": "assistant", "content": "a", "audio": {"id": "x"}}, HI)
    assert found.ignored == ("messages[].name", "messages[].audio")


def test_calls_in_the_history_of_a_request_without_tools_get_stubs() -> None:
    found = body(HI, call(), result())
    assert found["tools"] == [{"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}]
    assert found["tool_choice"] == {"type": "none"}


def test_ids_come_back_verbatim_where_the_upstream_made_them() -> None:
    found = turns(body(HI, call("functions.f:0"), result("functions.f:0"), model="kimi-k2.5", tools=[WEATHER]))
    assert found[1][1][0]["id"] == found[2][1][0]["tool_use_id"] == "functions.f:0"
    found = turns(body(HI, call("functions.f:0"), result("functions.f:0"), tools=[WEATHER]))
    assert found[1][1][0]["id"] == found[2][1][0]["tool_use_id"] != "functions.f:0"


def test_messages_that_make_no_sense_are_refused_with_their_path() -> None:
    for message, param in (
        ({"content": "x"}, "messages[0].role"),
        ({"role": "robot", "content": "x"}, "messages[0].role"),
        ("hi", "messages[0]"),
        ({"role": "function", "content": "x"}, "messages[0].name"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "messages[0].content[0].type"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            translation(message)  # type: ignore[arg-type]
        assert caught.value.param == param


def test_thinking_of_an_answer_whose_calls_were_split_comes_once() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "abc"}
    remembered = {"call_1": [block], "call_2": [block]}
    found = translation(
        HI, call(), call("call_2"), result(), result("call_2"), model="m", profile=Profile(), remembered=remembered
    )
    assert turns(found.body)[1][1] == [block, tool_use(), tool_use("call_2")]


PICTURE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
PARTS: dict[str, tuple[list[Json], list[tuple[str, list[Json]]]]] = {
    "a result": ([user([tool_result()])], [ANSWERED]),
    "a result, then text": (
        [user([text("and?"), tool_result()])],
        [("user", [tool_result(), text("and?")])],
    ),
    "an error": ([user([tool_result() | {"is_error": True}])], [("user", [tool_result() | {"is_error": True}])]),
    "no error": ([user([tool_result() | {"is_error": False}])], [ANSWERED]),
    "a result in parts": (
        [user([tool_result(content=[text("a"), PICTURE])])],
        [("user", [tool_result(content=[text("a"), PICTURE])])],
    ),
    "a marked result": (
        [user([tool_result() | {"cache_control": {"type": "ephemeral"}}])],
        [("user", [tool_result() | {"cache_control": {"type": "ephemeral"}}])],
    ),
    "no id": ([user([{"type": "tool_result", "content": "20 degrees"}])], [ANSWERED]),
    "an orphan": (
        [result(), user([tool_result("nobody", "lost"), text("and?")])],
        [("user", [tool_result(), text("lost"), text("and?")])],
    ),
    "an orphan that is an error": (
        [result(), user([tool_result("nobody", "lost") | {"is_error": True}])],
        [("user", [tool_result(), text("lost")])],
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_results_among_the_parts_of_a_user_message(case: str) -> None:
    messages, expected = PARTS[case]
    assert looped(said([tool_use()]), *messages) == [CALLED, *expected]


def test_parallel_results_among_the_parts() -> None:
    made = said([text("Let me see."), tool_use(), tool_use("call_2")])
    found = looped(made, user([tool_result("call_2"), tool_result()]))
    assert found == [
        ("assistant", [text("Let me see."), tool_use(), tool_use("call_2")]),
        ("user", [tool_result(), tool_result("call_2")]),
    ]


def test_an_error_with_a_picture_is_a_result_like_any_other() -> None:
    part = tool_result(content=[PICTURE]) | {"is_error": True}
    found = translation(HI, call(), user([part]), tools=[WEATHER])
    assert turns(found.body)[2] == ("user", [tool_result(content=[PICTURE])])
    assert found.ignored == ("messages[].content[].is_error",)


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([tool_result() | {"tool_use_id": 5}], "content[0].tool_use_id"),
        ([tool_result() | {"is_error": "yes"}], "content[0].is_error"),
        ([tool_result("nobody") | {"is_error": "yes"}], "content[0].is_error"),
        ([tool_result(content=[{"type": "tool_result"}])], "content[0].content[0].type"),
        ([tool_result(), {"type": "odd"}], "content[1].type"),
    ],
)
def test_an_odd_result_part_is_refused_with_its_path(parts: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        looped(call(), user(parts))
    assert caught.value.param == f"messages[2].{param}"


@pytest.mark.parametrize(("system", "texts"), [(None, ["Be brief."]), (" ", ["Be brief."]), ("A", ["A", "Be brief."])])
def test_a_system_prompt_beside_the_messages_comes_first(system: str | None, texts: list[str]) -> None:
    profile, report = Profile(), Report()
    read = HistoryReader(profile, toolbox({}, profile, report), {}, report).read([SYSTEM, HI], system)
    assert read.system == [text(value) for value in texts]


def test_a_cache_mark_on_a_message_means_its_last_block() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    found = turns(
        body(user([text("a"), text("b")]) | mark, call() | mark, result() | mark, model=NEWEST, tools=[WEATHER])
    )
    assert [block for _, blocks in found for block in blocks if "cache_control" in block] == [
        text("b") | mark,
        tool_use() | mark,
        tool_result() | mark,
    ]
