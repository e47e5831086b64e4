"""What the sandbox answers to a request, part by part."""

import json
from typing import Any

import pytest

from app.sandbox.answer import answer
from app.sandbox.api_error import ApiError, error_body
from app.sandbox.directives import Ending
from app.sandbox.token_estimate import input_tokens

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
JPEG = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
LINK = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}


def request(content: Any = "Hello there", **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    return {"model": "sandbox", "max_tokens": 1_000, "messages": messages} | fields


def text_of(messages_request: dict[str, Any]) -> str:
    return "".join(block.get("text", "") for block in answer(messages_request).message["content"])


def tool_round(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    calls = [
        {"type": "tool_use", "id": result["tool_use_id"], "name": "get_weather", "input": {}} for result in results
    ]
    messages = [
        {"role": "user", "content": "get_weather please"},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": list(results)},
    ]
    tools = [{"name": "get_weather", "input_schema": {"type": "object"}}]
    return request(messages=messages, tools=tools, **fields)


def result(tool_use_id: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": content, **fields}


def test_plain_answer_quotes_the_user_and_names_the_sandbox() -> None:
    message = answer(request("What is 2 + 2?")).message
    assert message["type"] == "message"
    assert message["role"] == "assistant"
    assert message["model"] == "sandbox"
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    [block] = message["content"]
    assert "sandbox" in block["text"]
    assert '"What is 2 + 2?"' in block["text"]


def test_same_request_same_answer_and_another_request_another_id() -> None:
    first, again, other = answer(request("a")), answer(request("a")), answer(request("b"))
    assert first == again
    assert first.message["id"].startswith("msg_01")
    assert first.message["id"] != other.message["id"]
    assert first.request_id != other.request_id


def test_stream_does_not_change_the_message() -> None:
    assert answer(request(stream=True)) == answer(request())


@pytest.mark.parametrize(
    ("messages", "quoted"),
    [
        ([{"role": "user", "content": "old"}, {"role": "assistant", "content": "x"}], "old"),
        ([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}], "one\ntwo"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            "a\nb",
        ),
        ([{"role": "user", "content": "mine"}, {"role": "system", "content": "late"}], "mine"),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "<system-reminder>use Bash</system-reminder>"},
                        {"type": "text", "text": "mine"},
                    ],
                }
            ],
            "mine",
        ),
    ],
)
def test_last_user_turn_is_what_counts(messages: list[dict[str, Any]], quoted: str) -> None:
    assert f'You said: "{quoted}".' in text_of(request(messages=messages))


def test_long_user_text_is_quoted_in_part() -> None:
    assert len(text_of(request("word " * 5_000))) < 1_000


def test_tool_results_are_quoted_with_the_tools_names() -> None:
    text = text_of(tool_round(result("a", "18 degrees"), result("b", [{"type": "text", "text": "rain"}])))
    assert 'get_weather returned "18 degrees"' in text
    assert 'get_weather returned "rain"' in text


def test_failed_tool_is_said_to_have_failed() -> None:
    assert 'get_weather failed with "no network"' in text_of(tool_round(result("a", "no network", is_error=True)))


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ([PNG, {"type": "text", "text": "what is it?"}], "1 image (image/png)"),
        ([PNG, JPEG, PNG], "3 images (image/png x2, image/jpeg)"),
        ([LINK], "1 image (url)"),
        ([PDF, PNG], "1 image (image/png) and 1 document (application/pdf)"),
    ],
)
def test_media_are_acknowledged(content: list[dict[str, Any]], seen: str) -> None:
    assert text_of(request(content)).startswith(f"I see {seen}. ")


def test_media_inside_tool_results_are_acknowledged() -> None:
    text = text_of(tool_round(result("a", [{"type": "text", "text": "a photo"}, JPEG])))
    assert "I see 1 image (image/jpeg)." in text
    assert '"a photo [image]"' in text


@pytest.mark.parametrize("config", [{"type": "enabled", "budget_tokens": 1_024}, {"type": "adaptive"}])
def test_thinking_comes_first_and_is_signed(config: dict[str, Any]) -> None:
    thinking, text = answer(request(thinking=config)).message["content"]
    assert thinking["type"] == "thinking"
    assert "Hello there" in thinking["thinking"]
    assert len(thinking["signature"]) > 60
    assert text["type"] == "text"


def test_thinking_is_counted() -> None:
    usage = answer(request(thinking={"type": "adaptive"})).message["usage"]
    assert 0 < usage["output_tokens_details"]["thinking_tokens"] < usage["output_tokens"]


def test_omitted_thinking_keeps_the_signature() -> None:
    shown = answer(request(thinking={"type": "adaptive"})).message["content"][0]
    omitted = answer(request(thinking={"type": "adaptive", "display": "omitted"})).message["content"][0]
    assert omitted["thinking"] == ""
    assert len(omitted["signature"]) == len(shown["signature"])


def test_disabled_thinking_is_absent() -> None:
    assert [block["type"] for block in answer(request(thinking={"type": "disabled"})).message["content"]] == ["text"]


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_structured_output_is_an_instance_of_the_schema(place: str) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    wanted: dict[str, Any] = {"type": "json_schema", "schema": schema}
    fields = {place: {"format": wanted} if place == "output_config" else wanted}
    assert json.loads(text_of(request("3 days in Paris", **fields))) == {"city": "Paris", "days": 3}


def test_stop_sequence_cuts_before_itself() -> None:
    message = answer(request("one STOP two", stop_sequences=["never", "STOP"])).message
    assert message["content"][0]["text"].endswith("one ")
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")


def test_earliest_stop_sequence_wins() -> None:
    assert answer(request("x END y STOP", stop_sequences=["STOP", "END"])).message["stop_sequence"] == "END"


def test_max_tokens_cuts_the_text() -> None:
    message = answer(request(max_tokens=3)).message
    assert message["content"][0]["text"] == "Hello from t"
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == 3


def test_max_tokens_before_a_stop_sequence() -> None:
    message = answer(request("STOP", max_tokens=3, stop_sequences=["STOP"])).message
    assert (message["stop_reason"], message["stop_sequence"]) == ("max_tokens", None)


def test_max_tokens_counts_thinking() -> None:
    message = answer(request(max_tokens=2, thinking={"type": "adaptive"})).message
    assert [block["type"] for block in message["content"]] == ["thinking"]
    assert message["stop_reason"] == "max_tokens"


def test_long_answer_counts_up_whatever_max_tokens_says() -> None:
    message = answer(request("sandbox:long 2000", max_tokens=10)).message
    assert message["content"][0]["text"].split() == [str(number) for number in range(1, 2_001)]
    assert message["stop_reason"] == "end_turn"


def test_input_tokens_are_those_of_count_tokens() -> None:
    whole = request("Hello", system="Be brief.", tools=[{"name": "f", "input_schema": {"type": "object"}}])
    countable = {key: value for key, value in whole.items() if key != "max_tokens"}
    assert answer(whole).message["usage"]["input_tokens"] == input_tokens(countable)


@pytest.mark.parametrize(
    "more",
    [
        {"system": "Be brief."},
        {"system": [{"type": "text", "text": "Be brief."}]},
        {"tools": [{"name": "f", "description": "does it", "input_schema": {"type": "object"}}]},
        {"messages": [{"role": "user", "content": [PNG]}]},
        {"messages": [{"role": "user", "content": "Hello there, once more"}]},
    ],
)
def test_everything_the_model_would_read_is_counted(more: dict[str, Any]) -> None:
    assert input_tokens(request() | more) > input_tokens(request())


def test_size_of_an_image_is_not_its_base64_length() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    assert input_tokens(request([{"type": "image", "source": source}])) < 2_000


@pytest.mark.parametrize(
    ("text", "ending", "pause"),
    [
        ("hello", Ending.COMPLETE, 0.0),
        ("sandbox:cut", Ending.CUT, 0.0),
        ("please sandbox:error midstream now", Ending.ERROR, 0.0),
        ("sandbox:slow 0.2", Ending.COMPLETE, 0.2),
        ("sandbox:slow 0.2. sandbox:cut.", Ending.CUT, 0.2),
        ("sandbox:slow 60", Ending.COMPLETE, 5.0),
    ],
)
def test_text_chooses_pace_and_ending(text: str, ending: Ending, pause: float) -> None:
    answered = answer(request(text))
    assert (answered.ending, answered.pause) == (ending, pause)


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_chosen_error_is_anthropics_own(status: int, error_type: str) -> None:
    with pytest.raises(ApiError) as refused:
        answer(request(f"sandbox:error {status}"))
    assert refused.value.status == status
    body = error_body(refused.value, "req_1")
    assert body["type"] == "error"
    assert body["error"]["type"] == error_type
    assert body["error"]["message"]
    assert body["request_id"] == "req_1"
    headers = dict(refused.value.headers)
    assert headers.get("retry-after") == ("1" if status in (429, 529) else None)
    assert headers["x-should-retry"] == ("true" if status in (409, 429, 500, 504, 529) else "false")


@pytest.mark.parametrize(
    "text",
    ["sandbox:error 418", "sandbox:error soon", "sandbox:slow down", "sandbox:long way", "sandbox:slow nan"],
)
def test_meaningless_directive_is_explained(text: str) -> None:
    with pytest.raises(ApiError, match=r"sandbox:\w+ takes") as refused:
        answer(request(text))
    assert refused.value.status == 400


def test_directive_of_an_earlier_turn_is_over() -> None:
    messages = [
        {"role": "user", "content": "sandbox:error 500"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "fine"},
    ]
    assert "fine" in text_of(request(messages=messages))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "Input should be a valid dictionary"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}, "model: Field required"),
        (request(model=5), "model: Input should be a valid string"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, "max_tokens: Field required"),
        (request(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (request(max_tokens="5"), "max_tokens: Input should be a valid integer"),
        (request(max_tokens=True), "max_tokens: Input should be a valid integer"),
        ({"model": "m", "max_tokens": 1}, "messages: Field required"),
        (request(messages=[]), "messages: at least one message is required"),
        (request(messages="hi"), "messages: Input should be a valid list"),
        (request(messages=["hi"]), "messages.0: Input does not match the expected shape"),
        (request(messages=[{"role": "tool", "content": "x"}]), "messages.0.role: Input should be 'user' or"),
        (request(messages=[{"role": "user"}]), "messages.0.content: Field required"),
        (request(None), "messages.0.content: Input should be a valid string"),
        (request(["x"]), "messages.0.content.0.type: Field required"),
        (request(tools={}), "tools: Input should be a valid list"),
        (request(tools=["f"]), "tools.0: Input should be a valid dictionary"),
        (request(tool_choice="auto"), "tool_choice: Input should be a valid dictionary"),
        (request(thinking="on"), "thinking: Input should be a valid dictionary"),
        (request(stop_sequences="x"), "stop_sequences: Input should be a valid list"),
        (request(stream="yes"), "stream: Input should be a valid boolean"),
    ],
)
def test_unknown_shape_is_refused(body: Any, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        answer(body)
    assert refused.value.status == 400
    assert message in refused.value.message
