"""What an answer held comes back in the order it had, though the client keeps only its text and its calls."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import Profile
from app.translate.answer_form import AnswerForm
from app.translate.chat_answer import ChatAnswer
from app.translate.request import Options, messages_request
from tests.translate.completions import completion_of

Json = dict[str, Any]
THINKING = st.just({"type": "thinking"})
TEXT = (
    st.text(alphabet="ab \n\N{THINKING FACE}", min_size=1).filter(str.strip).map(lambda t: {"type": "text", "text": t})
)
CALL = st.just({"type": "tool_use"})


@st.composite
def answers(draw: st.DrawFn) -> list[Json]:
    """Thinking and texts, then thinking and calls, the last of them a call."""
    spoken = draw(st.lists(THINKING | TEXT, max_size=6))
    made = [*draw(st.lists(THINKING | CALL, max_size=4)), {"type": "tool_use"}]
    return [whole(block, number) for number, block in enumerate([*spoken, *made])]


def whole(block: Json, number: int) -> Json:
    if block["type"] == "thinking":
        return block | {"thinking": f"t{number}", "signature": f"signed {number}"}
    return block | ({"id": f"toolu_{number}", "name": "f", "input": {}} if block["type"] == "tool_use" else {})


def joined(blocks: list[Json]) -> list[Json]:
    """A client cannot tell one text from the next."""
    found: list[Json] = []
    for kind, group in itertools.groupby(blocks, key=lambda block: block["type"]):
        same = list(group)
        found += [{"type": "text", "text": "".join(b["text"] for b in same)}] if kind == "text" else same
    return found


@given(answers(), st.booleans())
def test_the_order_survives(content: list[Json], sent_back: bool) -> None:
    answer = ChatAnswer(AnswerForm("m"), "chatcmpl-1", 1)
    message = completion_of({"content": content, "stop_reason": "tool_use"}, answer)["choices"][0]["message"]
    thinking = message.pop("thinking_blocks", [])
    message |= {"thinking_blocks": thinking} if sent_back else {}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message["tool_calls"]]
    history = [{"role": "user", "content": "hi"}, message, *results]
    remembered = {1: next(iter(answer.thinking_by_call.values()), [])}
    profile = Profile(thinking=("adaptive",))
    found = messages_request({"messages": history}, "m", "m", profile, Options(), remembered).body
    assert joined(found["messages"][1]["content"]) == joined(content)
