"""The chunks of an answer are such that OpenAI's SDK reads them, whatever the events."""

import contextlib
from typing import Any

from hypothesis import given, settings
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from app.errors import UpstreamError
from app.sse import encode
from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.chat_stream import ChatStream, Chunk
from tests.translate.answers import EVENTS, forms
from tests.translate.completions import deltas, folded_chunks

EVENTS_OF_AN_ANSWER: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 26, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]


def stream_of(form: AnswerForm) -> ChatStream:
    return ChatStream(ChatAnswer(form, "chatcmpl-1", 1))


@settings(max_examples=300)
@given(forms(), EVENTS)
def test_no_sequence_of_events_breaks_the_stream(form: AnswerForm, events: list[dict[str, Any]]) -> None:
    stream = stream_of(form)
    chunks: list[Chunk] = []
    complete = False
    with contextlib.suppress(UpstreamError):
        for event in events:
            chunks += stream.feed(event)
        chunks += stream.end()
        complete = True
    for chunk in chunks:
        encode(chunk)
    assert_well_formed(chunks, complete, form)
    stream.answer.final_usage()


def assert_well_formed(chunks: list[Chunk], complete: bool, form: AnswerForm) -> None:
    if chunks:
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    finished = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(finished) <= 1
    assert bool(finished) or not complete
    if complete:
        assert bool(chunks[-1].get("usage")) is form.include_usage
        folded_chunks(chunks)
    begun = [call["id"] for delta in deltas(chunks) for call in delta.get("tool_calls", ()) if "id" in call]
    assert len(set(begun)) == len(begun)
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(construct_type(type_=ChatCompletionChunk, value=chunk))


def whole_stream(form: AnswerForm) -> list[Chunk]:
    stream = stream_of(form)
    chunks = [chunk for event in EVENTS_OF_AN_ANSWER for chunk in stream.feed(event)]
    return [*chunks, *stream.end()]


def test_every_chunk_names_the_answer_and_the_last_tells_how_it_ended() -> None:
    chunks = whole_stream(AnswerForm("m"))
    envelope = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    assert all(chunk.items() >= envelope.items() for chunk in chunks)
    assert deltas(chunks) == [{"role": "assistant", "content": "", "refusal": None}, {"content": "Hi"}, {}]
    raw = {"stop_reason": "end_turn", "stop_sequence": None}
    finish = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop", "provider_specific_fields": raw}
    assert chunks[-1]["choices"] == [finish]


def test_the_usage_chunk_comes_last_and_only_when_asked_for() -> None:
    chunks = whole_stream(AnswerForm("m", include_usage=True))
    assert [chunk["usage"] is None for chunk in chunks] == [True, True, True, False]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 31
    assert all("usage" not in chunk for chunk in whole_stream(AnswerForm("m")))
