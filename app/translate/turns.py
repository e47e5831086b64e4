"""The turns of a conversation, and how they are written as Anthropic messages that no upstream refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.profiles.profile import Profile
from app.translate.content import text_block
from app.translate.report import Report

Block = dict[str, Any]
PLACEHOLDER = "."
"""The user turn in front of a conversation that the assistant begins; nothing shorter is accepted."""
CONTINUE = "Continue."
"""The user turn behind a trailing assistant message for models that refuse a prefill."""
_THINKING = ("thinking", "redacted_thinking")


@dataclass
class AssistantTurn:
    """What the assistant said (thinking and text, in order), its calls, and their results by the id sent upstream."""

    said: list[Block] = field(default_factory=list)
    calls: list[Block] = field(default_factory=list)
    results: dict[str, Block] = field(default_factory=dict)
    thoughts: dict[str, list[Block]] = field(default_factory=dict)
    """Thinking between the calls, by the id sent of the call behind it."""
    _thought: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @property
    def content(self) -> list[Block]:
        """Calls come last: text behind a call is refused as a call without result."""
        if not self.thoughts:
            return [*self.said, *self.calls]
        return [*self.said, *(block for call in self.calls for block in (*self.thoughts.get(call["id"], ()), call))]

    def say(self, blocks: Sequence[Block]) -> None:
        """Before the calls."""
        self.said += self._unsaid(blocks)

    def think(self, call_id: str, blocks: Sequence[Block]) -> None:
        """Before one of the calls."""
        if unsaid := self._unsaid(blocks):
            self.thoughts.setdefault(call_id, []).extend(unsaid)

    def _unsaid(self, blocks: Sequence[Block]) -> list[Block]:
        """Split calls of one answer may each bring the answer's thinking: once is enough."""
        thought = {i: json.dumps(b, sort_keys=True) for i, b in enumerate(blocks) if b["type"] in _THINKING}
        unsaid = [block for i, block in enumerate(blocks) if thought.get(i) not in self._thought]
        self._thought.update(thought.values())
        return unsaid


@dataclass
class UserTurn:
    """Blocks of one user turn; `system` marks a system message in the middle of the conversation."""

    content: list[Block]
    system: bool = False


Turn = AssistantTurn | UserTurn


class History(NamedTuple):
    """`system` blocks and the messages of a conversation, plus what the request as a whole must know of them."""

    system: list[Block]
    messages: list[Block]
    tool_names: list[str]
    """Names sent upstream of the tools that the history calls, in order."""
    prefilled: bool
    """Whether the conversation ends with an assistant turn that the model continues."""
    thinking_lost: bool
    """Whether the open tool loop lacks the thinking block that it must start with when thinking is enabled."""
    only_texts: bool
    """Whether nothing but texts was read, told by how each message was written; False: there may be more."""


def tool_result(sent_id: str, content: list[Block]) -> Block:
    """The block that answers the call `sent_id`; its content is a string where that is one text without marks."""
    result: Block = {"type": "tool_result", "tool_use_id": sent_id}
    if content:
        plain = len(content) == 1 and content[0].keys() == {"type", "text"}
        result["content"] = content[0]["text"] if plain else content
    return result


def written(turns: Sequence[Turn], profile: Profile, report: Report) -> list[Block]:
    """The messages for `turns`: results first behind their calls and in call order, equal roles merged."""
    writer = _Writer(profile, report)
    for turn in turns:
        if isinstance(turn, UserTurn):
            writer.user(turn)
        else:
            writer.assistant(turn)
    return writer.messages


class _Writer:
    def __init__(self, profile: Profile, report: Report) -> None:
        self._profile = profile
        self._report = report
        self.messages: list[Block] = []

    def assistant(self, turn: AssistantTurn) -> None:
        """Because a turn carries its results, whatever stood between call and result comes behind them."""
        last = self.messages[-1] if self.messages else None
        if last and last["role"] == "assistant":
            last["content"] += turn.content
        else:
            self.messages.append({"role": "assistant", "content": turn.content})
        if turn.calls:
            results = [turn.results.get(call["id"]) or self._missing(call) for call in turn.calls]
            self.messages.append({"role": "user", "content": results})

    def _missing(self, call: Block) -> Block:
        self._report.adjust("messages[].tool_calls", "an error result where there was none")
        return {"type": "tool_result", "tool_use_id": call["id"], "is_error": True}

    def user(self, turn: UserTurn) -> None:
        last = self.messages[-1] if self.messages else None
        if turn.system and self._profile.system_messages and last and last["role"] != "assistant":
            if last["role"] == "system":
                last["content"] += turn.content
            else:
                self.messages.append({"role": "system", "content": list(turn.content)})
            return
        if last and last["role"] == "system":
            # A system message may only stand between a user and an assistant message, or last.
            self._extend_user(self._as_user(self.messages.pop()["content"]))
        self._extend_user(self._as_user(turn.content) if turn.system else turn.content)

    def _as_user(self, content: list[Block]) -> list[Block]:
        """In place, so that what follows and the prompt cache stay as they are; marked, because a user has no such
        authority."""
        self._report.adjust("messages[].role", "user (a later system message)")
        return [block | {"text": f"<system>\n{block['text']}\n</system>"} for block in content]

    def _extend_user(self, content: list[Block]) -> None:
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1]["content"] += content
        else:
            self.messages.append({"role": "user", "content": list(content)})


def begin_legally(messages: list[Block], system: list[Block], report: Report) -> None:
    """`first message must use the "user" role` and `at least one message is required` (observed messages).

    Of a request with system messages only, the last one is what the model is to answer: it becomes the user's, and
    nothing needs to be made up. What the assistant said first stays, behind the shortest legal user turn.
    """
    if not messages and system:
        report.adjust("messages[].role", "user (the only message)")
        messages.append({"role": "user", "content": [system.pop()]})
    elif not messages or messages[0]["role"] == "assistant":
        report.adjust("messages", f"a first user turn '{PLACEHOLDER}'")
        messages.insert(0, {"role": "user", "content": [text_block(PLACEHOLDER)]})


def end_legally(messages: list[Block], profile: Profile, report: Report) -> bool:
    """Make a trailing assistant turn legal; True if it is a prefill that the model continues."""
    last = messages[-1]
    if last["role"] != "assistant":
        return False
    if not profile.prefill:
        report.adjust("messages", f"a last user turn '{CONTINUE}'")
        messages.append({"role": "user", "content": [text_block(CONTINUE)]})
        return False
    # `final assistant content cannot end with trailing whitespace` (observed message)
    last["content"][-1] = last["content"][-1] | {"text": last["content"][-1]["text"].rstrip()}
    return True


def thinking_lost(messages: list[Block]) -> bool:
    """Whether the open tool loop lacks the thinking that it must begin with when thinking is `enabled`.

    `Expected thinking or redacted_thinking, but found tool_use. When thinking is enabled, a final assistant message
    must start with a thinking block (preceeding the lastmost set of tool_use and tool_result blocks)` (observed). Only
    the first answer of a loop need think: the later ones belong to the same turn.
    """
    loop: list[Block] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            loop.append(message)
        elif message["role"] == "user" and message["content"][0]["type"] != "tool_result":
            # Results come first in what `written` makes.
            break
    if not loop or messages[-1]["role"] == "assistant":
        return False
    return all(message["content"][0]["type"] not in _THINKING for message in (loop[0], loop[-1]))
