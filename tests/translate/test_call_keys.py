"""Thinking is found again whatever a client does to its JSON, and never in another conversation."""

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given

from app.errors import InvalidRequest
from app.translate import call_keys
from app.translate.call_keys import answer_keys, conversation_of, names_one_call, recalled
from app.translate.told_calls import ToldCall, told_calls
from tests.translate.chat_requests import Sent, chat_requests
from tests.translate.requests import call

Json = dict[str, Any]
ID = "functions.get_weather:0"
BLOCKS = [{"type": "thinking", "thinking": "hm", "signature": ""}]
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
CALL = ToldCall(ID, "get_weather", '{"city":"Paris","days":1.0}')
RESULT = {"role": "tool", "tool_call_id": ID, "content": "18 degrees"}


def kept(messages: Any, *calls: ToldCall, **fields: Any) -> dict[str, list[Json]]:
    return answer_keys({"messages": messages, **fields}, dict.fromkeys(calls or (CALL,), BLOCKS))


def made(*calls: ToldCall, **message: Any) -> Json:
    calls = calls or (CALL,)
    told = [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    return {"role": "assistant", "content": None, "tool_calls": told, **message}


def found(store: dict[str, list[Json]], messages: Any, **fields: Any) -> dict[int, Any]:
    request = {"messages": messages, **fields}
    return dict(recalled(request, lambda keys: {key: store[key] for key in keys if key in store}))


def asked_for(*messages: Any) -> list[str]:
    """The keys that the store is asked for."""
    keys: list[str] = []
    recalled({"messages": list(messages)}, lambda asked: keys.extend(asked) or {})  # type: ignore[func-returns-value]
    return keys


# ------------------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize(
    "id",
    [
        "toolu_01KxQ4mPz9Ab7cDeFgHiJkLm",
        "call_00_iQk3v8T1nZpXw2Ls",
        "chatcmpl-tool-9f86d081884c7d65",
        "0b5f9c1e-7d41-4c58-9a53-1b3d5f7a9c0e",
        "call_function_6j2o1v3k2x5m_1",
        "call_0b5f9c1e7d414c589a531b3d5f7a9c0e_0",
    ],
)
def test_a_random_id_is_the_key(id: str) -> None:
    assert names_one_call(ToldCall(id, "get_weather", "{}"))
    assert list(kept(ASKED, CALL._replace(id=id))) == [id]


@pytest.mark.parametrize(
    "id",
    [
        "",
        "3",
        "call_0",
        "call_12345",
        "toolu_1",
        "call_1700000000000",
        "functions.f:0",
        "functions.Bash:12",
        "tool_call_number_17",
        "toolcallnumber17",
        "KxQ4mPz9Ab7",
        "get_weather",
        "functions.base64encoder:0",
        "base64encoder12",
        "functions.my_base64encoder_1a2b3c4d:0",
        "é" * 20 + "01KxQ4mPz9Ab7",
        "\ud83d" + "01KxQ4mPz9Ab7",
        "01KxQ4mPz9Ab7" * 20,
    ],
)
def test_a_counted_or_descriptive_id_is_not(id: str) -> None:
    call = ToldCall(id, "my.base64encoder", "{}")
    assert not names_one_call(call)
    (key,) = kept(ASKED, call)
    assert re.fullmatch("[0-9a-f]{64}", key)


def test_a_random_id_needs_nothing_else() -> None:
    """Such a client may drop and rewrite what it likes."""
    random = CALL._replace(id="toolu_01KxQ4mPz9Ab7")
    assert found(kept(ASKED, random), [{"role": "user", "content": "Summary"}, made(random)]) == {1: BLOCKS}


# ---------------------------------------------------------------------------------------- conversations, two of them


def test_the_next_request_finds_it() -> None:
    assert found(kept(ASKED), [*ASKED, made(), RESULT]) == {2: BLOCKS}


@pytest.mark.parametrize(
    "messages",
    [
        ASKED[1:],
        [{"role": "system", "content": "Be brief. You speak with Bob."}, ASKED[1]],
        [ASKED[0], {"role": "user", "content": "Weather!"}],
        [ASKED[0], {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "image_url"}]}],
        [*ASKED, {"role": "user", "content": "Now."}],
        [ASKED[0], {"role": "assistant", "content": "Weather?"}],
        [ASKED[0], {"role": "user", "content": ["Wea", "ther?"]}],
        [{"role": "system", "content": "Be"}, {"role": "user", "content": "brief.Weather?"}],
        [*ASKED, made(CALL._replace(arguments="{}")), RESULT],
        [*ASKED, made(), RESULT],
        [*ASKED, made(), RESULT | {"content": "19 degrees"}],
        [*ASKED, "odd"],
    ],
)
def test_another_conversation_with_the_same_call_does_not(messages: list[Any]) -> None:
    assert len(messages) not in found(kept(ASKED), [*messages, made()])
    assert found(kept(messages), [*ASKED, made()]) == {}
    assert found(kept(messages), [*messages, made()]) == {len(messages): BLOCKS}


def test_what_the_request_says_beside_its_messages_belongs_to_the_conversation() -> None:
    assert found(kept(ASKED, system="Alice"), [*ASKED, made()], system="Bob") == {}
    assert found(kept(ASKED, system="Alice"), [*ASKED, made()], system="Alice") == {2: BLOCKS}


@pytest.mark.parametrize(
    "other", [CALL._replace(name="g"), CALL._replace(arguments="{}"), CALL._replace(id="toolu_01KxQ4mPz9Ab7")]
)
def test_another_call_of_the_same_conversation_does_not(other: ToldCall) -> None:
    assert found(kept(ASKED), [*ASKED, made(other)]) == {}


def test_an_id_that_comes_again_in_each_turn() -> None:
    first, second = [{"type": "thinking", "thinking": thought} for thought in ("one", "two")]
    history = [*ASKED, made(), RESULT]
    store = answer_keys({"messages": ASKED}, {CALL: [first]}) | answer_keys({"messages": history}, {CALL: [second]})
    assert found(store, [*history, made(), RESULT]) == {2: [first], 4: [second]}


def test_images_of_a_conversation_count() -> None:
    def seen(url: str) -> Json:
        return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}

    store = kept([seen("https://example.com/a.png")])
    assert found(store, [seen("https://example.com/a.png"), made()]) == {1: BLOCKS}
    assert found(store, [seen("https://example.com/b.png"), made()]) == {}


# ---------------------------------------------------------------------------------------------- what clients change


@pytest.mark.parametrize(
    "arguments",
    [
        '{"city":"Paris","days":1.0}',
        '{"city": "Paris", "days": 1}',
        ' {\n  "days": 1,\n  "city": "\\u0050aris"\n}\n',
        {"days": 1, "city": "Paris"},
    ],
)
def test_arguments_written_anew(arguments: Any) -> None:
    assert found(kept(ASKED), [*ASKED, made(CALL._replace(arguments=arguments))]) == {2: BLOCKS}


@pytest.mark.parametrize(("told", "back"), [("", "{}"), ("{}", None), ("null", "{ }"), ('{"a": tr', '{"a": tr\n')])
def test_arguments_that_are_empty_or_no_json(told: str, back: str | None) -> None:
    call = CALL._replace(arguments=told)
    assert found(kept(ASKED, call), [*ASKED, made(call._replace(arguments=back))]) == {2: BLOCKS}


@pytest.mark.parametrize("arguments", ['{"a":' * 5000, "[" * 300 + "]" * 300, '{"a":"\\ud83d"}', '{"a":1e999}', "NaN"])
def test_odd_arguments_are_found_too(arguments: str) -> None:
    call = CALL._replace(arguments=arguments)
    assert found(kept(ASKED, call), [*ASKED, made(call)]) == {2: BLOCKS}


@pytest.mark.parametrize("id", ["functions_get_weather_0", "functions.get_weather:7", "call_0", "", None, 3])
def test_ids_written_anew(id: Any) -> None:
    """Some clients replace the characters that Claude refuses."""
    assert found(kept(ASKED), [*ASKED, made(CALL._replace(id=id))]) == {2: BLOCKS}


def test_messages_written_anew() -> None:
    history = [*ASKED, made(content="Let me see.", reasoning_content="hm"), RESULT]
    again = copy.deepcopy(history)
    again[0]["content"] = [{"type": "text", "text": "Be brief.\n", "cache_control": {"type": "ephemeral"}}]
    again[1] |= {"content": ["Weather? "], "name": None}
    del again[2]["reasoning_content"]
    again[2]["content"] = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Let me see."}]
    again[2]["tool_calls"][0]["function"]["arguments"] = '{"days":1,"city":"Paris"}'
    again[3] |= {"content": [{"type": "text", "text": "18 degrees"}]}
    assert found(kept(history), [*again, made()])[4] == BLOCKS


def test_the_parts_of_a_message_keep_their_fingerprint_when_a_breakpoint_moves() -> None:
    image: Json = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    marked = image | {"cache_control": {"type": "ephemeral"}}
    store = kept([{"role": "user", "content": [marked]}])
    assert found(store, [{"role": "user", "content": [image]}, made()]) == {1: BLOCKS}


def test_calls_among_the_parts_are_read_as_calls() -> None:
    part = {"type": "tool_use", "id": "functions.f:0", "name": "f", "input": {"a": 1, "b": 2}}
    history, again = (
        [*ASKED, {"role": "assistant", "content": [made_anew]}, RESULT]
        for made_anew in (part, part | {"id": "functions_f_0", "input": {"b": 2.0, "a": 1}})
    )
    assert found(kept(history), [*again, made()]) == {4: BLOCKS}


def test_parallel_calls_find_it_by_any_of_them() -> None:
    other = ToldCall("functions.get_time:1", "get_time", "{}")
    store = kept(ASKED, CALL, other)
    assert len(store) == 2
    for calls in ((CALL, other), (other, CALL), (CALL,), (other,)):
        assert found(store, [*ASKED, made(*calls), RESULT]) == {2: BLOCKS}


def test_calls_of_every_kind() -> None:
    custom = {"id": "call_0", "type": "custom", "custom": {"name": "f", "input": "a, b"}}
    part = {"type": "tool_use", "id": "call_0", "name": "f", "input": {"a": 1}}
    forms: list[tuple[Json, ToldCall]] = [
        ({"tool_calls": [custom]}, ToldCall("call_0", "f", "a, b")),
        ({"function_call": {"name": "f", "arguments": '{"a": 1}'}}, ToldCall("", "f", '{"a":1}')),
        ({"content": [part]}, ToldCall("call_0", "f", '{"a":1}')),
    ]
    for message, told in forms:
        assert found(kept(ASKED, told), [*ASKED, {"role": "assistant"} | message]) == {2: BLOCKS}


# --------------------------------------------------------------------------------------------------- what is asked for


def test_only_calls_without_thinking_of_their_own_are_recalled() -> None:
    own = call("functions.f:2", thinking_blocks=[{"type": "thinking", "thinking": "hm", "signature": "abc"}])
    asked = call("toolu_01KxQ4mPz9Ab7")
    odd = ["odd", {"role": "assistant", "tool_calls": [3]}, {"role": "user"}]
    assert asked_for(*ASKED, asked, own, *odd) == ["toolu_01KxQ4mPz9Ab7"]
    for messages in ("odd", None, [], ["odd"], [*ASKED, {"role": "assistant", "content": "Hello"}]):
        assert recalled({"messages": messages}, lambda keys: pytest.fail("asked for nothing")) == {}


def test_calls_whose_thinking_lost_its_signatures_are_recalled() -> None:
    shown = {"type": "thinking", "thinking": "hm"}
    for blocks in ([shown], [shown | {"signature": ""}], [{"type": "redacted_thinking", "data": ""}], "odd", ["odd"]):
        assert asked_for(call("toolu_01KxQ4mPz9Ab7", thinking_blocks=blocks)) == ["toolu_01KxQ4mPz9Ab7"]
    signed, redacted = shown | {"signature": "abc"}, {"type": "redacted_thinking", "data": "abc"}
    for blocks in ([shown, signed], [redacted]):
        assert asked_for(call(thinking_blocks=blocks)) == []
    # Where they stood, the client cannot tell.
    assert len(asked_for(call(thinking_blocks=[signed, redacted]))) == 1
    assert len(asked_for(call(thinking_blocks=[signed], content="Let me see."))) == 1


def test_a_key_is_asked_for_once() -> None:
    again = made(CALL._replace(id="toolu_01KxQ4mPz9Ab7"))
    assert asked_for(*ASKED, again, again) == ["toolu_01KxQ4mPz9Ab7"]


def test_messages_are_read_only_for_ids_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_keys, "_said", lambda message: pytest.fail("read for nothing"))
    random = made(CALL._replace(id="toolu_01KxQ4mPz9Ab7"))
    assert asked_for(*ASKED, random, {"role": "user", "content": "More."})
    assert kept([*ASKED, random], CALL._replace(id="toolu_01KxQ4mPz9Ab8"))


def test_a_message_that_cannot_be_written_costs_the_memory_and_no_request() -> None:
    deep: Any = 0
    for _ in range(400):
        deep = [deep]
    for part in ({"type": "odd", "deep": deep}, {"type": "odd", "half": "\ud83d"}, {"type": []} | {"a": "\ud83d"}):
        messages = [{"role": "user", "content": [part]}]
        assert kept(messages) == {}
        assert found({}, [*messages, made()]) == {}


@given(chat_requests())
def test_whatever_was_asked_the_next_request_finds_it(drawn: tuple[Json, Sent]) -> None:
    messages = drawn[0]["messages"]
    store = kept(messages)
    again = json.loads(json.dumps([*messages, made(), RESULT], indent=1))
    assert found(store, again)[len(messages)] == BLOCKS


@given(chat_requests())
def test_keys_depend_on_the_conversation_alone(drawn: tuple[Json, Sent]) -> None:
    request = {"system": "Be brief.", **drawn[0]}
    keys = answer_keys(request, {CALL: BLOCKS})
    assert answer_keys(conversation_of(request), {CALL: BLOCKS}) == keys
    assert answer_keys(request | {"system": "Be kind."}, {CALL: BLOCKS}) != keys


def test_texts_with_half_a_surrogate_pair() -> None:
    messages = [{"role": "user", "content": "\ud83d"}]
    assert found(kept(messages), [*messages, made()]) == {1: BLOCKS}
    assert found(kept(messages), [{"role": "user", "content": "\ud83e"}, made()]) == {}


def test_arguments_are_counted_before_they_are_read() -> None:
    hostile = json.dumps([{}] * 1_100_000, separators=(",", ":"))
    with pytest.raises(InvalidRequest):
        found({}, [*ASKED, made(CALL._replace(arguments=hostile))])


def test_the_calls_of_an_unvalidated_message() -> None:
    part = {"type": "tool_use", "id": 5, "name": 6, "input": []}
    odd: Json = {"tool_calls": [3, {}, {"function": 4, "id": "a"}], "content": [part, "odd"], "function_call": "odd"}
    assert told_calls(odd) == [ToldCall("", "", None), ToldCall("a", "", None), ToldCall("", "", [])]
    assert told_calls({"tool_calls": "odd", "content": "odd"}) == []
