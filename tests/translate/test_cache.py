"""Cache breakpoints: at most four, legal, asked for or placed by the proxy."""

from typing import Any

import pytest

from app.profiles.profile import Profile
from tests.translate.requests import WEATHER, Json, body, call, result, text, translation, user

MARK: Json = {"cache_control": {"type": "ephemeral"}}
LONG: Json = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SHORT: Json = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}


def marks(sent: Json) -> list[Json]:
    """Every cache_control of a Messages request, in the order in which the prompt is built."""
    system = sent.get("system", [])
    parts = [*sent.get("tools", []), *(system if isinstance(system, list) else [])]
    parts += [block for message in sent["messages"] for block in message["content"]]
    return [part["cache_control"] for part in parts if "cache_control" in part]


def test_marks_pass_on_tools_system_and_parts_with_their_ttl() -> None:
    sent = body(
        {"role": "system", "content": [text("s") | LONG]},
        user([text("a") | {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}]),
        tools=[WEATHER | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    )
    assert marks(sent) == [LONG["cache_control"], LONG["cache_control"], MARK["cache_control"]]


def test_marks_pass_on_calls() -> None:
    """AI SDK's openai-compatible provider writes a message's provider options into its calls."""
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "python", "input": "1"}} | LONG
    calls = [call()["tool_calls"][0] | LONG, custom]
    sent = body(user("hi"), {"role": "assistant", "tool_calls": calls}, result(), result("call_2"))
    assert marks(sent) == [LONG["cache_control"]] * 2
    assert [block["cache_control"] for block in sent["messages"][1]["content"]] == marks(sent)


def test_only_the_last_four_stay() -> None:
    found = translation(*(user([text(str(number)) | MARK]) for number in range(6)))
    assert len(marks(found.body)) == 4
    assert [block["text"] for block in found.body["messages"][0]["content"] if "cache_control" in block] == list("2345")
    assert found.adjusted == ("cache_control=last 4",)


def test_an_hour_never_comes_behind_five_minutes() -> None:
    found = translation(user([text("a") | SHORT, text("b") | LONG]))
    assert marks(found.body) == [SHORT["cache_control"], MARK["cache_control"]]
    assert found.adjusted == ("cache_control.ttl=5m",)


def test_upstreams_without_ttl_or_without_breakpoints() -> None:
    without_ttl = translation(user([text("a") | LONG, text("b") | SHORT]), model="m", profile=Profile(cache_ttl=False))
    assert marks(without_ttl.body) == [MARK["cache_control"], MARK["cache_control"]]
    assert without_ttl.adjusted == ("cache_control.ttl=5m",)
    without = translation(user([text("a") | LONG]), model="m", profile=Profile(cache_control=False))
    assert (marks(without.body), without.ignored) == ([], ("cache_control",))


def test_a_mark_on_the_request_means_its_last_block() -> None:
    sent = body(user([text("a"), text("b")]), cache_control={"type": "ephemeral", "ttl": "1h"})
    assert sent["messages"][0]["content"] == [text("a"), text("b") | LONG]
    five = [text(str(number)) | MARK for number in range(4)]
    assert len(marks(body(user(five), user("end"), cache_control={"type": "ephemeral"}))) == 4


@pytest.mark.parametrize(
    "fields",
    [{"tools": [WEATHER | MARK]}, {"system": [text("s") | MARK]}, MARK, {"cache_control": {}}],
)
def test_a_mark_counts_where_the_messages_are_plain_texts(fields: Json) -> None:
    assert marks(body(user("hi"), **fields)) == [MARK["cache_control"]]
    found = translation(user("hi"), profile=Profile(cache_control=False), model="m", **fields)
    assert marks(found.body) == []
    assert found.ignored == ("cache_control",)


def test_breakpoints_of_the_proxys_own() -> None:
    system: Json = {"role": "system", "content": "s"}
    messages = [
        system,
        user("a"),
        {"role": "assistant", "content": "b"},
        user("c"),
        {"role": "assistant", "content": "d"},
        user("e"),
    ]
    own: Any = {"auto_cache_control": True}
    sent = body(*messages, tools=[WEATHER], options=own)
    assert sent["tools"][-1]["cache_control"] == MARK["cache_control"]
    assert sent["system"] == [text("s") | MARK]
    assert [message["content"][-1].get("cache_control") for message in sent["messages"]][::2] == [
        None,
        *[MARK["cache_control"]] * 2,
    ]
    asked = body(user([text("a") | LONG]), user("b"), tools=[WEATHER], options=own)
    assert marks(asked) == [LONG["cache_control"]]


def test_a_tool_that_is_loaded_later_gets_no_automatic_breakpoint() -> None:
    later = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}
    sent = body(tools=[WEATHER, later], options={"auto_cache_control": True})
    assert ["cache_control" in tool for tool in sent["tools"]] == [True, False]
