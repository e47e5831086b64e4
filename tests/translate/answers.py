"""A documented event, and messages and event sequences that hypothesis draws: legal ones, and odd ones."""

import json
from typing import Any

from hypothesis import strategies as st

from app.translate.answer_form import AnswerForm
from app.translate.identifiers import ToolNames
from app.translate.tools import ToolForm

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 26, "output_tokens": 2},
    },
}
"""As Anthropic documents it."""
TEXT = st.text(alphabet='aä👋{}"\\ \n', max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
INPUT = st.dictionaries(TEXT, JSON, max_size=2)
TOOLS = {
    "plain": ToolForm("plain"),
    "math_sum": ToolForm("math.sum", wrapped=True),
    "odd": ToolForm("odd", renamed={"a_1": "ä"}),
    "code": ToolForm("code", custom=True),
}
TOOL_NAMES = st.sampled_from([*TOOLS, "made_up"])
CITATION = st.fixed_dictionaries({}, optional={"url": TEXT, "title": TEXT | st.none(), "source": TEXT})
TEXT_BLOCK = st.fixed_dictionaries(
    {"type": st.just("text"), "text": TEXT}, optional={"citations": st.none() | st.lists(CITATION, max_size=2)}
)
THINKING_BLOCK = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": TEXT})
BLOCK = st.one_of(
    TEXT_BLOCK,
    THINKING_BLOCK,
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXT}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": TEXT, "name": TOOL_NAMES, "input": INPUT}),
    st.fixed_dictionaries({"type": st.just("server_tool_use"), "id": TEXT, "name": TEXT, "input": INPUT}),
    st.fixed_dictionaries({"type": st.just("web_search_tool_result"), "content": st.lists(JSON, max_size=1)}),
)
STOP_REASON = st.sampled_from(
    ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "sensitive", "of_tomorrow"]
)
COUNT = st.none() | st.integers(0, 99) | st.integers(0, 99).map(str)
USAGE = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]), COUNT
)
MESSAGE = st.fixed_dictionaries(
    {
        "id": st.just("msg_1"),
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": st.just("m"),
        "content": st.lists(BLOCK, max_size=5),
        "stop_reason": STOP_REASON,
        "stop_sequence": st.none() | TEXT,
        "usage": USAGE,
    },
    optional={"stop_details": st.none() | st.fixed_dictionaries({"explanation": st.none() | TEXT})},
)

# What no documented upstream sends, but a broken one might.
ANYTHING = JSON | st.floats(allow_nan=False) | st.lists(st.integers(), max_size=2)
INDEX = st.integers(0, 3) | st.none() | ANYTHING
ODD_BLOCK = (
    BLOCK | ANYTHING | st.dictionaries(st.sampled_from(["type", "text", "input", "id", "name", "citations"]), ANYTHING)
)
ODD_MESSAGE = st.fixed_dictionaries(
    {"content": st.lists(ODD_BLOCK, max_size=3)},
    optional=dict.fromkeys(["stop_reason", "stop_sequence", "stop_details", "usage"], STOP_REASON | ANYTHING),
)
DELTA = st.one_of(
    st.fixed_dictionaries({"type": st.just("text_delta"), "text": TEXT | ANYTHING}),
    st.fixed_dictionaries({"type": st.just("thinking_delta"), "thinking": TEXT}),
    st.fixed_dictionaries({"type": st.just("signature_delta"), "signature": TEXT | ANYTHING}),
    st.fixed_dictionaries({"type": st.just("input_json_delta"), "partial_json": TEXT | INPUT.map(json.dumps)}),
    st.fixed_dictionaries({"type": st.just("citations_delta"), "citation": CITATION | ANYTHING}),
    st.fixed_dictionaries({"type": ANYTHING}),
    ANYTHING,
)
MESSAGE_DELTA = st.fixed_dictionaries(
    {"stop_reason": STOP_REASON | ANYTHING}, optional={"stop_sequence": ANYTHING, "stop_details": ANYTHING}
)
EVENT = st.one_of(
    st.fixed_dictionaries({"type": st.just("message_start")}, optional={"message": MESSAGE | ANYTHING}),
    st.fixed_dictionaries(
        {"type": st.just("content_block_start"), "content_block": ODD_BLOCK}, optional={"index": INDEX}
    ),
    st.fixed_dictionaries({"type": st.just("content_block_delta"), "delta": DELTA}, optional={"index": INDEX}),
    st.fixed_dictionaries({"type": st.just("content_block_delta"), "delta": DELTA, "index": st.integers(0, 2)}),
    st.fixed_dictionaries({"type": st.just("content_block_stop")}, optional={"index": INDEX}),
    st.fixed_dictionaries(
        {"type": st.just("message_delta")}, optional={"delta": MESSAGE_DELTA, "usage": USAGE | ANYTHING}
    ),
    st.sampled_from([{"type": "ping"}, {"type": "message_stop"}, {"type": []}, {}]),
)
ERROR = st.fixed_dictionaries(
    {"type": st.just("error")}, optional={"error": ANYTHING, "message": ANYTHING, "detail": ANYTHING}
)
EVENTS = st.lists(EVENT, max_size=12) | st.lists(EVENT | ERROR, max_size=6)


@st.composite
def forms(draw: st.DrawFn) -> AnswerForm:
    """How a client wants its answer: any combination, the impossible ones too."""
    tools: dict[str, Any] = dict(TOOLS)
    json_answer = draw(st.sampled_from([None, "tool", "text"]))
    if json_answer == "tool":
        tools["plain"] = ToolForm("plain", json_answer=True)
        tools["math_sum"] = ToolForm("math.sum", wrapped=True, json_answer=draw(st.booleans()))
    legacy = draw(st.booleans())
    return AnswerForm("m", ToolNames(64), tools, legacy, json_answer, draw(st.booleans()))
