"""A chat history, legal or odd -> Anthropic turns, legal by construction.

Reading goes message by message into turns; results find their call by id, wherever they stand. Writing then puts the
results of each assistant turn first in the user turn behind it, in call order, so no order of the input can break it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.profiles import Profile
from app.translate.assistant import assistant_text, calls
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_object, invalid_value, missing
from app.translate.content import Block, text_block, text_blocks, user_blocks
from app.translate.identifiers import ToolIds
from app.translate.report import Report
from app.translate.thinking_blocks import Remembered, replayed_thinking
from app.translate.tools import Toolbox

PLACEHOLDER = "."
"""Stands where the API demands a user turn and the client has none; nothing shorter is accepted."""
CONTINUE = "Continue."
"""The user turn behind a trailing assistant message for models that refuse a prefill."""


@dataclass
class AssistantTurn:
    """Blocks of one assistant turn, and the results of its calls by the id sent upstream."""

    thinking: list[Block] = field(default_factory=list)
    text: list[Block] = field(default_factory=list)
    calls: list[Block] = field(default_factory=list)
    results: dict[str, Block] = field(default_factory=dict)

    @property
    def content(self) -> list[Block]:
        return [*self.thinking, *self.text, *self.calls]


@dataclass
class UserTurn:
    """Blocks of one user turn; `system` marks a system message in the middle of the conversation."""

    content: list[Block]
    system: bool = False


Turn = AssistantTurn | UserTurn


@dataclass(frozen=True)
class History:
    """`system` blocks and the turns of a conversation, plus what the request as a whole must know of them."""

    system: list[Block]
    messages: list[Block]
    tool_names: list[str]
    """Names sent upstream of the tools that the history calls, in order."""
    prefilled: bool
    """Whether the conversation ends with an assistant turn that the model continues."""
    thinking_lost: bool
    """Whether the open tool loop lacks the thinking block that it must start with when thinking is enabled."""


class HistoryReader:
    """Reads the messages of one chat request."""

    def __init__(self, profile: Profile, box: Toolbox, remembered: Remembered, report: Report) -> None:
        self._profile = profile
        self._box = box
        self._remembered = remembered
        self._report = report
        self._ids = ToolIds(profile.verbatim_tool_ids)
        self._calls_by_id: dict[str, tuple[AssistantTurn, str]] = {}
        self._calls_by_name: dict[str, tuple[AssistantTurn, str]] = {}
        self._system: list[Block] = []
        self._turns: list[Turn] = []

    def read(self, messages: Sequence[Any]) -> History:
        """Raises InvalidRequest with the path of a message or part that no reading makes sense of."""
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            message = an_object(message, path)
            role = message.get("role")
            if role is None:
                raise missing(f"{path}.role")
            reader = _ROLES.get(role) if isinstance(role, str) else None
            if reader is None:
                expected = "'system', 'developer', 'user', 'assistant', 'tool', and 'function'"
                raise invalid_value(f"{path}.role", expected, role)
            if message.get("name") is not None and role != "function":
                a_string(message["name"], f"{path}.name")
                self._report.ignore("messages[].name")
            _mark_last(reader(self, message, path), cache_control(message, path))
        return self._written()

    def _read_system(self, message: Block, path: str) -> list[Block]:
        blocks = text_blocks(message.get("content"), f"{path}.content")
        if not self._turns:
            self._system += blocks
        elif blocks:
            self._turns.append(UserTurn(blocks, system=True))
        return blocks

    def _read_user(self, message: Block, path: str) -> list[Block]:
        blocks = user_blocks(message.get("content"), f"{path}.content", self._profile, self._report)
        if blocks:
            self._turns.append(UserTurn(blocks))
        return blocks

    def _read_assistant(self, message: Block, path: str) -> list[Block]:
        turn = AssistantTurn(text=assistant_text(message, path))
        made = calls(message, path)
        for position, call in enumerate(made):
            name = self._box.names.sent(call.name)
            id = self._ids.sent(call.id, str(len(self._turns)), str(position), call.name)
            form = self._box.forms.get(name)
            input = call.input(form, self._report, f"{path}.tool_calls[{position}]")
            turn.calls.append({"type": "tool_use", "id": id, "name": name, "input": input})
            self._calls_by_id[call.id] = self._calls_by_name[call.name] = (turn, id)
        turn.thinking = replayed_thinking(message, path, [call.id for call in made], self._remembered, self._profile)
        if not turn.thinking and isinstance(message.get("reasoning_content"), str):
            self._report.ignore("messages[].reasoning_content")
        if turn.text or turn.calls:
            self._turns.append(turn)
        elif turn.thinking:
            # `The final block in an assistant message cannot be thinking`: an answer cut while thinking says nothing.
            self._report.ignore("messages[].thinking_blocks")
        return [*turn.text, *turn.calls]

    def _read_result(self, message: Block, path: str) -> list[Block]:
        legacy = message["role"] == "function"
        field = "name" if legacy else "tool_call_id"
        id = a_string(message.get(field), f"{path}.{field}")
        known = self._calls_by_name if legacy else self._calls_by_id
        content = user_blocks(message.get("content"), f"{path}.content", self._profile, self._report)
        if id not in known:
            # No call of that id came before: what the tool said is kept as the user's text.
            self._report.adjust(f"{path}.role", "user")
            if content:
                self._turns.append(UserTurn(content))
            return content
        turn, sent_id = known[id]
        result: Block = {"type": "tool_result", "tool_use_id": sent_id}
        if content:
            plain = content[0]["text"] if [set(block) for block in content] == [{"type", "text"}] else content
            result["content"] = plain
        turn.results[sent_id] = result
        return [result]

    def _written(self) -> History:
        """The turns as messages: results behind their calls, equal roles merged, a legal start and end."""
        writer = _Writer(self._profile, self._report)
        for turn in self._turns:
            if isinstance(turn, UserTurn):
                writer.user(turn)
            else:
                writer.assistant(turn)
        messages = writer.finished()
        system = self._system
        if not messages and system:
            # A request of system messages only: the last one is what the model is asked to answer.
            self._report.adjust("messages[].role", "user")
            messages, system = [{"role": "user", "content": [system[-1]]}], system[:-1]
        if not messages or messages[0]["role"] == "assistant":
            self._report.adjust("messages", f"a first user turn '{PLACEHOLDER}'")
            messages.insert(0, {"role": "user", "content": [text_block(PLACEHOLDER)]})
        prefilled = self._end(messages)
        used = [call["name"] for t in self._turns if isinstance(t, AssistantTurn) for call in t.calls]
        return History(system, messages, used, prefilled, _thinking_lost(messages))

    def _end(self, messages: list[Block]) -> bool:
        """Make the end legal; True if the conversation ends with a prefill."""
        last = messages[-1]
        if last["role"] != "assistant":
            return False
        if not self._profile.prefill:
            self._report.adjust("messages", f"a last user turn '{CONTINUE}'")
            messages.append({"role": "user", "content": [text_block(CONTINUE)]})
            return False
        # `final assistant content cannot end with trailing whitespace`
        last["content"][-1] = last["content"][-1] | {"text": last["content"][-1]["text"].rstrip()}
        return True


_ROLES: dict[str, Callable[[HistoryReader, Block, str], list[Block]]] = {
    "system": HistoryReader._read_system,
    "developer": HistoryReader._read_system,
    "user": HistoryReader._read_user,
    "assistant": HistoryReader._read_assistant,
    "tool": HistoryReader._read_result,
    "function": HistoryReader._read_result,
}


class _Writer:
    """Appends turns to messages; holds an assistant turn back until it is known whether the next one belongs to it."""

    def __init__(self, profile: Profile, report: Report) -> None:
        self._profile = profile
        self._report = report
        self._messages: list[Block] = []
        self._pending: AssistantTurn | None = None
        self._waiting: list[UserTurn] = []

    def user(self, turn: UserTurn) -> None:
        if self._pending and not self._pending.calls:
            self._close()
        if self._pending:
            self._waiting.append(turn)
        else:
            self._append_user(turn)

    def assistant(self, turn: AssistantTurn) -> None:
        """Parallel calls that a client split over several messages are one turn again."""
        pending = self._pending
        if pending and not self._waiting and (not pending.calls or (turn.calls and pending.results)):
            turn = AssistantTurn(
                [*pending.thinking, *turn.thinking],
                [*pending.text, *turn.text],
                [*pending.calls, *turn.calls],
                pending.results | turn.results,
            )
        else:
            self._close()
        self._pending = turn

    def finished(self) -> list[Block]:
        self._close()
        return self._messages

    def _close(self) -> None:
        turn, self._pending = self._pending, None
        if turn is None:
            return
        self._messages.append({"role": "assistant", "content": turn.content})
        if turn.calls:
            results = [turn.results.get(call["id"]) or self._missing(call) for call in turn.calls]
            self._messages.append({"role": "user", "content": results})
        waiting, self._waiting = self._waiting, []
        for user_turn in waiting:
            self._append_user(user_turn)

    def _missing(self, call: Block) -> Block:
        self._report.adjust("messages[].tool_calls", "an error result where there was none")
        return {"type": "tool_result", "tool_use_id": call["id"], "is_error": True}

    def _append_user(self, turn: UserTurn) -> None:
        last = self._messages[-1] if self._messages else None
        if turn.system and self._profile.system_messages and last and last["role"] == "user":
            self._messages.append({"role": "system", "content": list(turn.content)})
            return
        if last and last["role"] == "system":
            # A system message may only stand between a user and an assistant message, or last.
            self._extend_user(self._as_user(self._messages.pop()["content"]))
        self._extend_user(self._as_user(turn.content) if turn.system else turn.content)

    def _as_user(self, content: list[Block]) -> list[Block]:
        self._report.adjust("messages[].role", "user (a later system message)")
        return [block | {"text": f"<system>\n{block['text']}\n</system>"} for block in content]

    def _extend_user(self, content: list[Block]) -> None:
        if self._messages and self._messages[-1]["role"] == "user":
            self._messages[-1]["content"] += content
        else:
            self._messages.append({"role": "user", "content": list(content)})


def _mark_last(blocks: list[Block], mark: Block) -> None:
    """`cache_control` on a whole message means its last block."""
    if blocks and mark:
        blocks[-1].update(mark)


def _thinking_lost(messages: list[Block]) -> bool:
    """`Expected thinking or redacted_thinking, but found tool_use. When thinking is enabled, a final assistant message
    must start with a thinking block (preceeding the lastmost set of tool_use and tool_result blocks)` (observed)."""
    for message in reversed(messages):
        if message["role"] == "system":
            continue
        if message["role"] == "assistant":
            return message["content"][0]["type"] not in {"thinking", "redacted_thinking"} and any(
                block["type"] == "tool_use" for block in message["content"]
            )
        if not any(block["type"] == "tool_result" for block in message["content"]):
            return False
    return False


def recallable_ids(messages: Any) -> list[str]:
    """Ids of the tool calls in a history whose assistant message brings no thinking of its own, unvalidated."""
    ids = []
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "assistant":
            made = message.get("tool_calls")
            for call in made if isinstance(made, list) else ():
                if isinstance(call, dict) and isinstance(call.get("id"), str):
                    ids.append(call["id"])
    return ids
