"""The token estimate: close to the tokenizer, indifferent to shape, bounded in work."""

import base64
import inspect
import json
import random
import string
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.logs import configure_logging
from app.tokens import content, estimate_input_tokens, estimate_text_tokens, tokenizer
from app.tokens.estimate import _Tally
from app.tokens.families import CLAUDE_FROM_4_7, CLAUDE_TO_4_6, OTHER, Family, family_of
from app.tokens.sampling import SLICE_CHARS, Sampler
from app.tokens.tokenizer import Tokenizer, bundled_encoder, heuristic_tokens

ROOT = Path(__file__).resolve().parents[2]
GLM = "glm-4.5"
PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "
EMPTY_TOKENS = content.REQUEST_TOKENS + content.MESSAGE_TOKENS


class RecordingEncoder:
    """One token a character; remembers what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_ordinary(self, text: str) -> list[int]:
        self.texts.append(text)
        return [0] * len(text)


@pytest.fixture(scope="module")
def exact():
    encoder = bundled_encoder()
    return lambda text: len(encoder.encode_ordinary(text))


@pytest.fixture(scope="module")
def unavailable():
    def load():
        raise OSError("no such file")

    return Tokenizer(load)


def one_message(blocks, **fields):
    return {"messages": [{"role": "user", "content": blocks}], **fields}


def block_tokens(block, model=GLM):
    """What one block adds to an otherwise empty message."""
    return estimate_input_tokens(one_message([block]), model) - EMPTY_TOKENS


# --- Accuracy


def test_a_short_message_counts_as_observed_at_anthropic():
    # Observed: {"messages": [{"role": "user", "content": "Hello"}]} -> {"input_tokens": 8}
    assert estimate_input_tokens(one_message("Hello"), GLM) == 8


@pytest.mark.parametrize("text", [PROSE, PROSE * 50, inspect.getsource(json.decoder), "<|endoftext|> <|fim|>"])
def test_text_is_counted_by_the_tokenizer(exact, text):
    assert estimate_text_tokens(text, GLM) == pytest.approx(exact(text), rel=0.005)


def test_long_text_is_sampled_close_to_the_tokenizer(exact):
    text = "".join(inspect.getsource(module) for module in (typing, inspect, random, subprocess, json)) * 2
    assert len(text) > 500_000
    assert estimate_text_tokens(text, GLM) == pytest.approx(exact(text), rel=0.05)


def test_empty_text_has_no_tokens():
    assert estimate_text_tokens("", GLM) == 0


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-opus-4-20250514", CLAUDE_TO_4_6),
        ("claude-3-7-sonnet-20250219", CLAUDE_TO_4_6),
        ("claude-haiku-4-5-20251001", CLAUDE_TO_4_6),
        ("us.anthropic.claude-opus-4-6-v1:0", CLAUDE_TO_4_6),
        ("anthropic/claude-sonnet-4.6", CLAUDE_TO_4_6),
        ("claude-2.1", CLAUDE_TO_4_6),
        ("claude-opus-4-7", CLAUDE_FROM_4_7),
        ("claude-opus-4-8@20260501", CLAUDE_FROM_4_7),
        ("claude-sonnet-5", CLAUDE_FROM_4_7),
        ("claude-fable-5-1", CLAUDE_FROM_4_7),
        ("Claude-Opus-Latest", CLAUDE_FROM_4_7),
        ("glm-4.5", OTHER),
        ("kimi-k2", OTHER),
        ("", OTHER),
    ],
)
def test_the_family_is_read_from_the_model_id(model: str, family: Family):
    assert family_of(model) is family


def test_each_family_scales_text(exact):
    tokens = exact(PROSE * 20)
    for model, scale in ((GLM, 1.0), ("claude-sonnet-4-5", 1.2), ("claude-opus-5", 1.5)):
        assert estimate_text_tokens(PROSE * 20, model) == pytest.approx(tokens * scale, rel=0.01)


def test_text_outside_ascii_costs_other_models_less_than_cl100k_says(exact):
    chinese = "人人生而自由、在尊严和权利上一律平等。他们赋有理性和良心。" * 10
    assert estimate_text_tokens(chinese, GLM) == pytest.approx(exact(chinese) * 0.73, rel=0.01)
    assert estimate_text_tokens(chinese, "claude-opus-4-6") == pytest.approx(exact(chinese) * 1.2, rel=0.01)


# --- What a request holds


TEXT_BLOCK = {"type": "text", "text": PROSE}
PROSE_BLOCKS = {
    "text": (TEXT_BLOCK, 0),
    "cached text": ({**TEXT_BLOCK, "cache_control": {"type": "ephemeral"}}, 0),
    "thinking": ({"type": "thinking", "thinking": PROSE, "signature": "s" * 900}, 0),
    "tool result": ({"type": "tool_result", "tool_use_id": "toolu_1", "content": PROSE}, 10),
    "nested tool result": ({"type": "tool_result", "tool_use_id": "toolu_1", "content": [TEXT_BLOCK]}, 10),
    "server result": (
        {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": [TEXT_BLOCK]},
        10,
    ),
    "text document": ({"type": "document", "source": {"type": "text", "data": PROSE}}, 0),
    "block document": ({"type": "document", "source": {"type": "content", "content": [TEXT_BLOCK]}}, 0),
    "search result": ({"type": "search_result", "source": "", "title": "", "content": [TEXT_BLOCK]}, 0),
}


@pytest.mark.parametrize("name", PROSE_BLOCKS)
def test_the_text_of_a_block_is_counted_wherever_it_stands(exact, name):
    block, overhead = PROSE_BLOCKS[name]
    assert block_tokens(block) == exact(PROSE) + overhead


def test_a_tool_call_counts_name_and_input(exact):
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": PROSE, "days": 3}}
    expected = exact("get_weather") + exact(json.dumps(call["input"])) + content.TOOL_CALL_TOKENS
    assert block_tokens(call) == pytest.approx(expected, abs=4)


def test_hidden_thinking_counts_by_its_encrypted_size():
    assert block_tokens({"type": "redacted_thinking", "data": "x" * 1600}) == 300
    assert block_tokens({"type": "thinking", "thinking": "", "signature": "x" * 1600}) == 300


def test_an_unknown_block_counts_as_json(exact):
    block = {"type": "hologram", "scene": {"caption": PROSE, "frames": [1, 2.5, None, True]}}
    assert block_tokens(block) == pytest.approx(exact(json.dumps(block)), rel=0.2)


def test_media_inside_an_unknown_block_is_not_counted_as_text():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\xee\0\0\x01\0" + bytes(90_000)).decode()
    source = {"type": "base64", "media_type": "image/png", "data": png}
    assert block_tokens({"type": "image", "source": source}) == 256
    assert block_tokens({"type": "tool_result", "content": [{"type": "image", "source": source}]}) == 266
    assert 256 < block_tokens({"type": "browser_state", "screenshot": {"source": source}}) < 290


def test_encrypted_search_content_counts_by_its_size():
    found = {"type": "web_search_result", "url": "https://example.org", "encrypted_content": "x" * 16_000}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]}
    assert 3_000 < block_tokens(result) < 3_060


@pytest.mark.parametrize(
    "source", [{"type": "url", "url": "https://example.org"}, {"type": "file", "file_id": "file_1"}, None, {}]
)
def test_media_kept_elsewhere_get_a_flat_count(source):
    assert block_tokens({"type": "image", "source": source}) == 1_500
    assert block_tokens({"type": "document", "source": source}) == 10_000


def test_tools_count_their_schema_and_the_hidden_prompt_once(exact):
    tool = {"name": "f", "description": PROSE, "input_schema": {"type": "object", "properties": {"a": {}}}}
    schema_tokens = exact(json.dumps(tool, separators=(",", ":"))) + content.TOOL_TOKENS
    base = estimate_input_tokens(one_message("x"), GLM)
    one = estimate_input_tokens(one_message("x", tools=[tool]), GLM) - base
    two = estimate_input_tokens(one_message("x", tools=[tool, tool]), GLM) - base
    assert one == pytest.approx(schema_tokens + OTHER.tool_prompt, abs=5)
    assert two - one == pytest.approx(schema_tokens, abs=5)
    assert estimate_input_tokens(one_message("x", tools=[]), GLM) == base


def test_steering_fields_of_a_tool_are_not_counted():
    tool = {"name": "f", "input_schema": {"type": "object"}}
    steered = {**tool, "cache_control": {"type": "ephemeral", "ttl": "1h"}, "strict": True}
    plain, marked = (estimate_input_tokens(one_message("x", tools=[t]), GLM) for t in (tool, steered))
    assert plain == marked


def test_anthropic_tools_count_their_published_size():
    base = estimate_input_tokens(one_message("x"), "claude-opus-4-6")
    for kind, tokens in (("bash_20250124", 245), ("web_search_20260318", 500)):
        tools = [{"type": kind, "name": "t"}]
        assert estimate_input_tokens(one_message("x", tools=tools), "claude-opus-4-6") - base == 346 + tokens


@pytest.mark.parametrize(
    "field",
    [
        {"system": PROSE},
        {"system": [TEXT_BLOCK]},
        {"tool_choice": {"type": "tool", "name": PROSE}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"description": PROSE}}}},
    ],
)
def test_fields_beside_the_messages_are_counted(exact, field):
    added = estimate_input_tokens(one_message("x", **field), GLM) - estimate_input_tokens(one_message("x"), GLM)
    assert exact(PROSE) <= added <= exact(PROSE) + 30


# --- Any shape

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "text", "source", "data", "content", "input", "name", "thinking"])
            | st.text(max_size=5),
            inner | st.sampled_from([*content._BLOCKS, "base64", "content", "bash_20250124", "x_tool_result"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)
REQUEST = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("system", "messages", "tools", "tool_choice", "output_config"), JSON)
)
MESSAGE = st.fixed_dictionaries({"role": JSON, "content": JSON})


@given(REQUEST | st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.sampled_from([GLM, "claude-opus-5"]))
@settings(max_examples=150, deadline=None)
def test_no_shape_raises(messages_request, model):
    assert estimate_input_tokens(messages_request, model) >= 1


@given(REQUEST, st.lists(MESSAGE | JSON, max_size=4), MESSAGE | JSON)
@settings(max_examples=100, deadline=None)
def test_one_more_message_never_counts_less(messages_request, messages, message):
    before = estimate_input_tokens({**messages_request, "messages": messages}, GLM)
    after = estimate_input_tokens({**messages_request, "messages": [*messages, message]}, GLM)
    assert after >= before


def test_a_growing_sampled_conversation_never_counts_less():
    words = random.Random(7)
    messages, last = [], 0
    for _ in range(60):
        text = "".join(words.choices("aé漢 \n", k=words.choice((1, 50, 9_000))))
        messages.append({"role": "user", "content": text})
        tokens = estimate_input_tokens({"messages": messages}, GLM)
        assert tokens > last
        last = tokens


def test_nesting_beyond_the_recursion_limit_is_counted():
    deep: object = "x"
    for _ in range(5_000):
        deep = [{"type": "tool_result", "content": deep}]
    assert block_tokens({"type": "tool_result", "content": deep}) > 5_000


@pytest.mark.parametrize(
    "value",
    [10**5_000, -(10**5_000), float("nan"), float("inf"), "\ud800", "\x00"],
    ids=["huge", "hugely negative", "nan", "inf", "surrogate", "nul"],
)
def test_odd_json_values_are_counted(value):
    assert block_tokens({"type": "tool_use", "name": value, "input": {"a": value}}) > 10


# --- Work


@pytest.mark.parametrize("alphabet", ["a", " ", "\n", string.ascii_lowercase, "漢字仮名交文", "👩\u200d👧"])
def test_ten_megabytes_of_anything_cost_no_more_than_a_sample(alphabet):
    encoder = RecordingEncoder()
    text = "".join(random.Random(1).choices(alphabet, k=10_000)) * 1_000
    tokens = estimate_text_tokens(text, GLM, tokenizer=Tokenizer(lambda: encoder))
    assert tokens == pytest.approx(10_000_000 * (1 if text.isascii() else OTHER.non_latin_scale), rel=1e-6)
    assert sum(map(len, encoder.texts)) < 320_000
    assert max(map(len, encoder.texts)) <= SLICE_CHARS


def test_many_small_texts_are_sampled_together():
    encoder = RecordingEncoder()
    blocks = [{"type": "text", "text": f"{number:0100}"} for number in range(20_000)]
    tokens = estimate_input_tokens(one_message(blocks), GLM, tokenizer=Tokenizer(lambda: encoder))
    assert tokens == 2_000_000 + EMPTY_TOKENS
    assert sum(map(len, encoder.texts)) < 250_000


def test_a_grown_conversation_is_not_tokenized_again():
    encoder = RecordingEncoder()
    counting = Tokenizer(lambda: encoder)
    system = " ".join(str(number) for number in range(60_000))
    estimate_input_tokens(one_message("first", system=system), GLM, tokenizer=counting)
    encoder.texts.clear()
    estimate_input_tokens(one_message("second", system=system), GLM, tokenizer=counting)
    assert set(encoder.texts) <= {"second"}


def test_a_count_can_be_interrupted_at_every_part():
    parts = ["word " * 40_000, "not sampled", "", 3, "not sampled either"]
    tally = _Tally(iter(parts), len)
    interrupted = 0
    while not tally.advance(until=0):
        interrupted += 1
    assert interrupted >= 79 + len(parts)
    assert tally.total() == sum(part if isinstance(part, int) else len(part) for part in parts)


def test_slices_are_cut_in_front_of_a_space():
    slices: list[str] = []
    for _ in Sampler(lambda text: slices.append(text) or len(text)).add(PROSE * 100):
        pass
    assert "".join(slices) == PROSE * 100
    assert all(text.startswith(" ") for text in slices[1:])


def test_the_memo_is_bounded(monkeypatch):
    monkeypatch.setattr(tokenizer, "_MEMO_ENTRIES", 10)
    counting = Tokenizer(RecordingEncoder)
    for number in range(95):
        counting.counter()(str(number))
    assert len(counting._memo) <= 10


# --- The tokenizer and its stand-in


def test_without_ranks_the_heuristic_counts(unavailable, exact):
    assert estimate_text_tokens(PROSE * 30, GLM, tokenizer=unavailable) == pytest.approx(exact(PROSE * 30), rel=0.35)
    assert estimate_input_tokens(one_message([{}] * 3), GLM, tokenizer=unavailable) >= 1


def test_a_failed_load_is_logged_once_in_the_services_format_and_not_repeated(capsys):
    configure_logging("info", "json")
    loads = []

    def load():
        loads.append(1)
        raise ValueError("/secret/path")

    counting = Tokenizer(load)
    try:
        assert [estimate_text_tokens("word", GLM, tokenizer=counting) for _ in range(3)] == [1, 1, 1]
    finally:
        configure_logging("info", "text")
    assert len(loads) == 1
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in told] == [
        ("warning", "token ranks unavailable, counting without them: ValueError")
    ]


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("x" * 36, 10), ("a b c d", 5), ("漢" * 10, 8), ("漢" * 10 + "x" * 36, 18)]
)
def test_heuristic(text, tokens):
    assert heuristic_tokens(text) == tokens


def test_ranks_that_are_not_the_published_ones_are_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cl100k_base.tiktoken").write_bytes(b"IQ== 0\n")
    monkeypatch.setattr(tokenizer.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="not the published file"):
        bundled_encoder()


def run_python(code: str, **environment: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("cache", ["", "/proc/no/such/directory", "{tmp_path}"])
def test_first_use_needs_no_network_and_no_cache_directory(tmp_path, exact, cache):
    code = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise SystemExit('network used')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "from app.tokens import estimate_text_tokens\n"
        f"print(estimate_text_tokens({PROSE!r}, 'glm-4.5'))"
    )
    counted = run_python(code, TIKTOKEN_CACHE_DIR=cache.format(tmp_path=tmp_path), TMPDIR=str(tmp_path))
    assert int(counted) == exact(PROSE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_ranks_take_no_memory_before_the_first_count():
    code = (
        "import os, pathlib\n"
        "page_mb = os.sysconf('SC_PAGE_SIZE') / 2**20\n"
        "def resident_mb(): return int(pathlib.Path('/proc/self/statm').read_text().split()[1]) * page_mb\n"
        "import gevent.monkey, gevent.threadpool, logging, hashlib, app.settings\n"
        "before = resident_mb()\n"
        "from app.tokens import estimate_text_tokens\n"
        "imported = resident_mb()\n"
        "estimate_text_tokens('text', 'glm-4.5')\n"
        "print(imported - before, resident_mb() - imported)"
    )
    imported, counted = map(float, run_python(code).split())
    assert imported < 10
    assert counted > 20
