"""Every golden case, in both stream modes; golden_cases.py tells how a case is written."""

import copy
import json
from functools import cache
from typing import Any

import pytest
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from app.sse import DONE
from tests.fake_upstream import LEGAL_HEADERS, profile_for, refusal
from tests.golden_cases import CREATED, FOLDER, ID, RESULTS, GoldenCase, all_cases
from tests.translate.completions import deltas, folded_chunks


@cache
def cases(update: bool) -> list[GoldenCase]:
    """Every case; with `update`, what it expects is rewritten first."""
    for case in all_cases() if update else ():
        case.rewrite()
    return all_cases()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test is run over every case, every case with a request half (`asked`), or with an answer half (`answered`)."""
    subsets = {"case": lambda _: True, "asked": lambda c: c.has_request_half, "answered": lambda c: c.has_answer_half}
    for name in subsets.keys() & set(metafunc.fixturenames):
        chosen = filter(subsets[name], cases(metafunc.config.getoption("--update-golden")))
        metafunc.parametrize(name, list(chosen), ids=lambda case: case.name)


def test_what_comes_out_is_what_is_expected(case: GoldenCase) -> None:
    expected = {}
    if case.has_request_half:
        expected |= case.request_results()
    if case.has_answer_half:
        expected |= case.buffered_results()
    assert {key: value for key, value in case.corners.items() if key in RESULTS} == expected
    if case.upstream_sse is not None:
        assert_streams_as_expected(case)


def assert_streams_as_expected(case: GoldenCase) -> None:
    assert case.upstream_sse is not None
    frames = case.streamed([case.upstream_sse])
    if isinstance(frames, bytes):
        assert frames == case.client_sse
    else:
        assert case.client_sse is None
        assert frames == case.corners["client_error"]


def test_the_strict_upstream_takes_the_request(asked: GoldenCase) -> None:
    if "refused" in asked.corners:
        return
    profile = profile_for(asked.upstream_model, strict=True)
    assert profile is not None, f"no upstream serves {asked.upstream_model}"
    betas = asked.corners.get("betas")
    headers = {**LEGAL_HEADERS, **({"anthropic-beta": ",".join(betas)} if betas else {})}
    assert refusal(asked.corners["upstream_request"], profile, headers) is None


def test_the_same_request_gives_the_same_bytes_and_is_left_as_it_was(asked: GoldenCase) -> None:
    before = json.dumps(asked.client_request)
    assert json.dumps(asked.request_results()) == json.dumps(asked.request_results())
    assert json.dumps(asked.client_request) == before


def test_a_streamed_request_is_the_same_but_for_stream(asked: GoldenCase) -> None:
    whole, streamed = asked.request_results(stream=False), asked.request_results(stream=True)
    if "refused" not in whole:
        assert streamed["upstream_request"].pop("stream") is True
    assert streamed == whole


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 7, 61, 1024])
def test_a_stream_does_not_depend_on_how_its_bytes_are_cut(answered: GoldenCase, size: int) -> None:
    whole = answered.streamed([answered.streamed_body])
    assert answered.streamed(in_pieces(answered.streamed_body, size)) == whole


def test_a_stream_adds_up_to_the_buffered_answer(answered: GoldenCase) -> None:
    frames = answered.streamed([answered.streamed_body])
    if "client_error" in answered.corners:
        error = frames if isinstance(frames, dict) else {"body": sent_objects(frames)[-1]}
        assert error["body"] == answered.corners["client_error"]["body"]
        return
    assert isinstance(frames, bytes)
    completion = folded_chunks(sent_chunks(frames))
    assert completion == {key: value for key, value in answered.corners["client_answer"].items() if key != "usage"}


def test_a_stream_is_what_openai_documents(answered: GoldenCase) -> None:
    frames = answered.streamed([answered.streamed_body])
    if isinstance(frames, dict):
        assert set(frames["body"]["error"]) == {"message", "type", "param", "code"}
        assert frames["status"] >= 400
        return
    chunks = sent_chunks(frames)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    envelopes = {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks}
    assert envelopes == {(ID, "chat.completion.chunk", CREATED, answered.client_request["model"])}
    failed = not frames.endswith(DONE)
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(reasons) == (0 if failed else 1)
    assert frames.count(b"[DONE]") == (0 if failed else 1)
    assert_usage_only_when_asked(answered, chunks, failed)
    assert_calls_are_in_order(chunks)
    assert_the_sdk_accumulates(chunks)


def assert_usage_only_when_asked(case: GoldenCase, chunks: list[dict[str, Any]], failed: bool) -> None:
    asked = (case.client_request.get("stream_options") or {}).get("include_usage") is True
    assert all(("usage" in chunk) == asked for chunk in chunks)
    told = [chunk for chunk in chunks if chunk.get("usage")]
    assert len(told) == (1 if asked and not failed else 0)
    if told:
        assert chunks[-1] is told[0]
        assert told[0]["choices"] == []
        assert told[0]["usage"] == case.corners["client_answer"]["usage"]
    assert all(chunk["choices"] for chunk in chunks if chunk not in told)


def assert_calls_are_in_order(chunks: list[dict[str, Any]]) -> None:
    """Indexes 0..n; id and name exactly once, in the first delta of a call; arguments are strings."""
    begun: list[int] = []
    for call in (call for delta in deltas(chunks) for call in delta.get("tool_calls", ())):
        if "id" in call:
            assert call["index"] == len(begun)
            assert call["type"] in {"function", "custom"}
            assert isinstance(call[call["type"]]["name"], str)
            begun.append(call["index"])
        else:
            assert call["index"] in begun
            assert call.keys() == {"index", "function"} or call.keys() == {"index", "custom"}
            assert call.get("function", {}).keys() <= {"arguments"}
            assert call.get("custom", {}).keys() <= {"input"}
        assert all(isinstance(value, str) for value in call.get("function", call.get("custom")).values())


def assert_the_sdk_accumulates(chunks: list[dict[str, Any]]) -> None:
    """The SDK's own accumulator takes every chunk, and comes to the same text and calls."""
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        # As the SDK reads a stream: without validation, which does not know custom tools in chunks.
        state.handle_chunk(construct_type(type_=ChatCompletionChunk, value=copy.deepcopy(chunk)))
    if not any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]):
        return
    message = state.current_completion_snapshot.choices[0].message
    own = folded_chunks(chunks)["choices"][0]["message"]
    assert (message.content or None) == (own["content"] or None)
    accumulated = [call.to_dict() for call in message.tool_calls or ()]
    for call, whole in zip(accumulated, own.get("tool_calls", ()), strict=True):
        kind = whole["type"]
        assert (call["type"], call["id"]) == (kind, whole["id"])
        assert whole[kind].items() <= call[kind].items()


def sent_objects(frames: bytes) -> list[dict[str, Any]]:
    """The JSON of every data line but [DONE]."""
    lines = frames.removesuffix(DONE).split(b"\n\n")
    assert lines.pop() == b""
    assert all(line.startswith(b"data: {") and b"\n" not in line for line in lines)
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def sent_chunks(frames: bytes) -> list[dict[str, Any]]:
    """The chunks alone, without an error at the end."""
    objects = sent_objects(frames)
    return objects[:-1] if "error" in objects[-1] else objects


def test_a_buffered_answer_is_what_openai_documents(answered: GoldenCase) -> None:
    if "client_error" in answered.corners:
        return
    completion = answered.corners["client_answer"]
    ChatCompletion.model_validate(completion, strict=True)
    (choice,) = completion["choices"]
    assert choice["logprobs"] is None
    assert {"role", "content", "refusal"} <= set(choice["message"])
    assert completion["usage"]["total_tokens"] == (
        completion["usage"]["prompt_tokens"] + completion["usage"]["completion_tokens"]
    )
    for call in choice["message"].get("tool_calls", ()):
        if call["type"] == "function" and choice["finish_reason"] == "tool_calls":
            json.loads(call["function"]["arguments"])


def test_every_recording_belongs_to_a_case() -> None:
    recordings = {path.name.split(".")[0] for path in FOLDER.glob("*.sse")}
    assert recordings <= {case.name for case in all_cases()}
