"""A chat completion has what OpenAI requires, and is folded in linear time."""

import time
from typing import Any

from openai.types.chat import ChatCompletion

from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.response import folded
from tests.translate.completions import completion_of

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "glm-4.6",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 26, "output_tokens": 5},
}


def told(message: dict[str, Any]) -> dict[str, Any]:
    return completion_of(message, ChatAnswer(AnswerForm("asked-for"), "chatcmpl-1", 7))


def test_a_completion_has_all_that_openai_requires() -> None:
    completion = told(MESSAGE)
    ChatCompletion.model_validate(completion, strict=True)
    assert completion == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "asked-for",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
                "provider_specific_fields": {"stop_reason": "end_turn", "stop_sequence": None},
            }
        ],
        "usage": completion["usage"],
    }


def test_content_is_null_only_beside_calls() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    empty = {"type": "text", "text": ""}
    for content, expected in (([call], None), ([empty, call], None), ([empty], ""), ([], "")):
        assert told(MESSAGE | {"content": content})["choices"][0]["message"]["content"] == expected


def test_an_upstreams_order_of_blocks_does_not_matter_to_the_text() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    content = [{"type": "text", "text": "One, "}, call, {"type": "text", "text": "two."}]
    message = told(MESSAGE | {"content": content})["choices"][0]["message"]
    assert message["content"] == "One, two."
    assert len(message["tool_calls"]) == 1


def test_folding_many_pieces_costs_as_much_as_their_text() -> None:
    """2 MB of arguments in pieces of ten characters; joined one by one, that is 200 GB of copying."""
    answer = ChatAnswer(AnswerForm("m"), "chatcmpl-1", 7)
    deltas = answer.feed(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f"}}
    )
    delta = {"type": "input_json_delta", "partial_json": "0123456789"}
    begun = time.process_time()
    for _ in range(200_000):
        deltas += answer.feed({"type": "content_block_delta", "index": 0, "delta": delta})
    deltas += answer.feed({"type": "message_stop"})
    message = folded(deltas)
    assert len(message["tool_calls"][0]["function"]["arguments"]) == 2_000_000
    assert time.process_time() - begun < 10
