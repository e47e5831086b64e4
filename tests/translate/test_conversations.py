"""Any conversation, legal or odd, becomes a request that no upstream refuses, with nothing lost, doubled or made up."""

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profiles.profile import profile_for
from app.translate.parameters import PARAMETERS
from app.translate.request import Options, Translation, messages_request
from app.translate.turns import CONTINUE, PLACEHOLDER
from tests.fake_upstream import LEGACY, LEGAL_HEADERS, ModelProfile, refusal
from tests.fake_upstream import profile_for as strict_profile_for
from tests.fake_upstream.profiles import CLAUDE_FAMILIES, Enforced
from tests.fake_upstream.signatures import Seal, answer_prefix_digest, digest
from tests.remembered import by_message
from tests.translate.chat_requests import SCHEMAS, Json, Sent, chat_requests

UPSTREAMS = [
    *(("api.anthropic.com", model) for model in CLAUDE_FAMILIES),
    ("api.z.ai", "glm-4.6"),
    ("api.z.ai", "glm-5.2"),
    ("api.deepseek.com", "deepseek-v4-pro"),
    ("api.moonshot.ai", "kimi-k2.5"),
    ("api.moonshot.ai", "kimi-k2.7-code"),
    ("api.minimax.io", "MiniMax-M2.5"),
    ("localhost:8080", "my-model"),
]
UNKNOWN = 10**9
"""A limit that nobody can know before the upstream tells it."""
ANY_UPSTREAM = st.sampled_from(UPSTREAMS)
EXAMPLES = settings(
    max_examples=int(os.environ.get("CONVERSATIONS", "60")),  # raise it for a soak
    derandomize="CONVERSATIONS" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def strict_profile(model: str) -> ModelProfile:
    """The strictest upstream that `model` can meet.

    A Claude's own; for an unknown model Anthropic's oldest rules. Other families keep what they are known to take and
    have every rule of Anthropic's enforced but those about thinking, which are Anthropic's alone; images go too.
    """
    if model == "my-model":
        return replace(LEGACY, tool_name_length=64, structured_output=False, max_tokens=UNKNOWN)
    profile = strict_profile_for(model, strict=True)
    assert profile is not None
    if model in {"claude-sonnet-4", "claude-3-7-sonnet"}:
        # The fake counts them among the older Opus models, which write less.
        profile = replace(profile, max_tokens=64_000)
    if model in CLAUDE_FAMILIES:
        # The signatures of made-up histories are bound to nothing.
        return replace(profile, binds_thinking_to_prefix=False)
    known = profile.max_tokens if profile_for("", model).max_output_tokens else UNKNOWN
    return replace(profile, image_input=True, max_tokens=known, enforced=profile.enforced & ~Enforced.THINKING)


def translated(request: Json, host: str, model: str, **options: Any) -> Translation:
    return messages_request(request | {"model": model}, model, model, profile_for(host, model), Options(**options))


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def occurrences(piece: str, body: Json) -> int:
    said = [body.get("system", ""), body["messages"]]
    return sum(text.count(piece) if piece != text else 1 for text in strings(said))


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_no_upstream_refuses(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, _ = drawn
    for options in ({}, {"auto_cache_control": True}):
        translation = translated(request, host, model, **options)
        headers = {**LEGAL_HEADERS, **({"anthropic-beta": ",".join(translation.betas)} if translation.betas else {})}
        refused = refusal(translation.body, strict_profile(model), headers)
        assert refused is None, f"{refused.message}\n{json.dumps(translation.body, indent=1)}"


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_nothing_is_lost_doubled_or_reordered(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, sent = drawn
    translation = translated(request, host, model)
    body = translation.body
    replaced = any("the last of several results" in told for told in translation.adjusted)
    for text, run in sent.texts.items():
        found = occurrences(text.strip(), body)
        assert found == 1 or (found == 0 and replaced and run.startswith("tool")), text
    for argument in sent.arguments:
        assert occurrences(argument, body) == 1, argument
    for medium in sent.media:
        assert occurrences(medium, body) == 1 or replaced, medium
    flat = json.dumps([body.get("system", ""), body["messages"]], ensure_ascii=False)
    for run in {run for run in sent.texts.values() if not run.startswith("tool")}:
        places = [
            flat.find(json.dumps(text.strip(), ensure_ascii=False)[1:-1])
            for text, its in sent.texts.items()
            if its == run
        ]
        assert places == sorted(places)


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_thinking_goes_back_whole_or_not_at_all(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, sent = drawn
    translation = translated(request, host, model)
    profile = profile_for(host, model)
    blocks = [b for m in translation.body["messages"] for b in m["content"] if b["type"] == "thinking"]
    texts = [block["thinking"] for block in blocks]
    assert len(set(texts)) == len(texts)
    for block in blocks:
        assert profile.unsigned_thinking or sent.thinking[block["thinking"]] == "signed"
    if len(texts) < len(sent.thinking) and not profile.unsigned_thinking:
        kept_out = [text for text, kind in sent.thinking.items() if kind == "signed" and text not in texts]
        assert not kept_out or any("messages[]." in told for told in translation.ignored)


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_no_text_is_made_up(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, sent = drawn
    messages = translated(request, host, model).body["messages"]
    own = set(sent.texts) | {text.rstrip() for text in sent.texts}
    own |= {f"<system>\n{text}\n</system>" for text in sent.texts}
    for index, message in enumerate(messages):
        for block in message["content"]:
            for text in said(block):
                at_start = index == 0 and text == PLACEHOLDER
                at_end = index == len(messages) - 1 and text == CONTINUE
                assert text in own or at_start or at_end, text


def said(block: Json) -> Iterator[str]:
    if block["type"] == "text":
        yield block["text"]
    if block["type"] == "tool_result":
        content = block.get("content", [])
        yield from [content] if isinstance(content, str) else (text for inner in content for text in said(inner))


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_the_same_history_gives_the_same_bytes(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, _ = drawn
    before = copy.deepcopy(request)
    first = json.dumps(translated(request, host, model).body)
    assert json.dumps(translated(copy.deepcopy(request), host, model).body) == first
    assert request == before


TALKS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.sampled_from(["Hi.", "So? \n", " "])}
    ),
    min_size=1,
    max_size=6,
)
OPTIONS = st.fixed_dictionaries({"auto_cache_control": st.booleans()})


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests().map(lambda drawn: drawn[0]) | st.builds(dict, messages=TALKS), OPTIONS)
def test_a_null_means_the_same_as_leaving_the_field_out(
    upstream: tuple[str, str], request: Json, options: dict[str, bool]
) -> None:
    """So what is told by a missing field alone, and read on the fast path, comes to what the slow one gives."""
    host, model = upstream
    nulls = request | {name: None for name in PARAMETERS if name not in request}
    nulls["messages"] = [{"name": None, "cache_control": None} | message for message in request["messages"]]
    short, long = translated(request, host, model, **options), translated(nulls, host, model, **options)
    assert json.dumps(long.body) == json.dumps(short.body)
    assert (long.betas, long.ignored, long.adjusted) == (short.betas, short.ignored, short.adjusted)


def uncached(value: Any) -> Any:
    """Without cache breakpoints, which move as the conversation grows."""
    if isinstance(value, list):
        return [uncached(child) for child in value]
    if not isinstance(value, dict):
        return value
    return {
        key: uncached(child) for key, child in value.items() if key not in {"cache_control", "prompt_cache_breakpoint"}
    }


def answers_a_call(message: Json) -> bool:
    parts = message.get("content") if message["role"] == "user" else None
    results = isinstance(parts, list) and any(part.get("type") == "tool_result" for part in parts)
    return results or message["role"] in {"tool", "function"}


def complete_prefixes(messages: list[Json]) -> Iterator[int]:
    """Lengths of histories that an answer can be asked for: they end with a user's word."""
    for length, last in enumerate(messages, 1):
        if last["role"] != "user":
            continue
        parts = [{"text": last["content"]}] if isinstance(last["content"], str) else last["content"] or []
        words = [part for part in parts if part.get("type") != "tool_result"]
        if any(part.get("text", "media").strip() for part in words):
            yield length


@EXAMPLES
@given(ANY_UPSTREAM, chat_requests())
def test_a_longer_history_begins_with_the_shorter_one(upstream: tuple[str, str], drawn: tuple[Json, Sent]) -> None:
    host, model = upstream
    request, _ = drawn
    request = uncached(request)
    if request["messages"][-1]["role"] == "assistant":
        # A JSON answer cannot be forced from a prefill, so that it is asked for in the system prompt.
        request.pop("response_format", None)
    whole = translated(request, host, model)
    if "tool_call_id" in str(whole.adjusted) or "tool_calls" in str(whole.adjusted):
        # A call whose result came late, twice or never was repaired differently before.
        return
    for length in complete_prefixes(request["messages"]):
        if any(map(answers_a_call, request["messages"][length:])):
            continue
        part = translated(request | {"messages": request["messages"][:length]}, host, model).body
        begun = [block for message in part["messages"] for block in message["content"]]
        blocks = [block for message in whole.body["messages"] for block in message["content"]]
        assert json.dumps(blocks[: len(begun)]) == json.dumps(begun)
        assert whole.body.get("system") == part.get("system")


def answer_to(request: Json, number: int) -> Json:
    """What an upstream that binds its thinking to the conversation answers: a signed thought, a word and a call."""
    thought = f"thinking <{number}>"
    signature = Seal(digest(thought), answer_prefix_digest(request), str(number), 0, 1).signed()
    call = {
        "id": f"toolu_{number}",
        "type": "function",
        "function": {"name": "a.b/c", "arguments": f'{{"n":{number}}}'},
    }
    blocks = [{"type": "thinking", "thinking": thought, "signature": signature}]
    return {"role": "assistant", "content": "Let me see.", "thinking_blocks": blocks, "tool_calls": [call]}


@pytest.mark.parametrize("recalled", [False, True], ids=["sent back", "remembered"])
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-6"])
def test_bound_thinking_stays_valid_as_the_conversation_grows(model: str, recalled: bool) -> None:
    strict = strict_profile_for(model)
    assert strict is not None
    request: Json = {
        "model": model,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go."}],
        "tools": [{"type": "function", "function": {"name": "a.b/c", "parameters": SCHEMAS[5]}}],
        "reasoning_effort": "high",
    }
    remembered: Json = {}
    for number in range(6):
        profile = profile_for("api.anthropic.com", model)
        known = by_message(request["messages"], remembered)
        translation = messages_request(request, model, model, profile, Options(), known)
        refused = refusal(translation.body, strict, LEGAL_HEADERS)
        assert refused is None, refused
        assert translation.body["thinking"]["type"] == "adaptive"
        answer = answer_to(translation.body, number)
        if recalled:
            remembered[f"toolu_{number}"] = answer.pop("thinking_blocks")
        result = {"role": "tool", "tool_call_id": f"toolu_{number}", "content": f"{number}"}
        request["messages"] += [answer, result, *([{"role": "user", "content": "More."}] if number % 2 else [])]
