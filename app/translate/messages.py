"""A chat history, legal or odd -> Anthropic turns, legal by construction.

Reading goes message by message into turns; a result finds its call by id, wherever it stands. Writing (turns.py) puts
the results of each assistant turn first in the user turn behind it, in call order, so no order of the input breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.profiles.profile import Profile
from app.translate.assistant import Call, assistant_text, calls
from app.translate.cache import cache_control
from app.translate.call_index import CallIndex
from app.translate.checks import an_object, invalid_value, missing, optional_boolean, optional_string
from app.translate.content import Block, is_blank, text_block, text_blocks, user_blocks
from app.translate.identifiers import ToolIds
from app.translate.message_fields import ignore_unknown
from app.translate.report import Report
from app.translate.thinking_blocks import interleaved, replayed_thinking
from app.translate.thinking_forms import Remembered, Thought, may_hold_thinking
from app.translate.tools import Toolbox
from app.translate.turns import (
    AssistantTurn,
    History,
    Turn,
    UserTurn,
    begin_legally,
    end_legally,
    thinking_lost,
    tool_result,
    written,
)


class HistoryReader:
    """Reads the messages of one chat request."""

    def __init__(self, profile: Profile, box: Toolbox, remembered: Remembered, report: Report) -> None:
        self._profile = profile
        self._box = box
        self._remembered = remembered
        self._known: Sequence[Block] = ()
        """What is remembered of the message that is being read."""
        self._report = report
        self._ids = ToolIds(profile.verbatim_tool_ids)
        self._calls = CallIndex()
        self._system: list[Block] = []
        self._turns: list[Turn] = []
        self._called: list[str] = []
        self._only_texts = True
        self._continuable: AssistantTurn | None = None
        """The assistant turn that the next assistant message belongs to."""

    def read(self, messages: Sequence[Any], system: Any = None) -> History:
        """`system`: what the request says beside its messages, as text or text parts, before what they say.

        Raises InvalidRequest with the path of a message or part that no reading makes sense of.
        """
        if system is not None:
            self._system += text_blocks(system, "system")
            self._only_texts = isinstance(system, str)
        for index, message in enumerate(messages):
            if index in self._remembered or not self._read_text(message):
                self._only_texts = False
                self._known = self._remembered.get(index, ())
                self._read(message, f"messages[{index}]")
        sent = written(self._turns, self._profile, self._report)
        begin_legally(sent, self._system, self._report)
        prefilled = end_legally(sent, self._profile, self._report)
        lost = not self._only_texts and thinking_lost(sent)
        return History(self._system, sent, self._called, prefilled, lost, self._only_texts)

    def _read_text(self, message: Any) -> bool:
        """Read a message that is a role and a text, as most are, as `_read` would; False for any other."""
        if not isinstance(message, dict) or len(message) != 2:
            return False
        role, text = message.get("role"), message.get("content")
        if not isinstance(text, str) or is_blank(text):
            return False
        if role == "user":
            self._append_user(UserTurn([text_block(text)]))
        elif role == "assistant":
            self._turn_for(calling=False).said.append(text_block(text))
        elif role == "system" and not self._turns:
            self._system.append(text_block(text))
        else:
            return False
        return True

    def _read(self, message: Any, path: str) -> None:
        message = an_object(message, path)
        role = message.get("role")
        if role is None:
            raise missing(f"{path}.role")
        reader = _ROLES.get(role) if isinstance(role, str) else None
        if reader is None:
            expected = "'system', 'developer', 'user', 'assistant', 'tool', and 'function'"
            raise invalid_value(f"{path}.role", expected, role)
        ignore_unknown(message, self._report)
        if "name" in message and optional_string(message, "name", path) and role not in {"tool", "function"}:
            self._report.ignore("messages[].name")
        blocks = reader(self, message, path)
        if blocks and (mark := cache_control(message, path)):
            # On a whole message it means the last block.
            blocks[-1].update(mark)

    def _read_system(self, message: Block, path: str) -> list[Block]:
        blocks = text_blocks(message.get("content"), f"{path}.content")
        if not self._turns:
            self._system += blocks
        elif blocks:
            self._append_user(UserTurn(blocks, system=True))
        return blocks

    def _read_user(self, message: Block, path: str) -> list[Block]:
        """Cursor sends tool results as Anthropic's parts of user messages; they come first, whatever their place."""
        content, results = message.get("content"), []
        if isinstance(content, list):
            content = list(content)
            for index, part in enumerate(content):
                if isinstance(part, dict) and part.get("type") == "tool_result":
                    results += self._read_result_part(part, f"{path}.content[{index}]")
                    # A blank part is left out, and the others keep their index.
                    content[index] = ""
        blocks = user_blocks(content, f"{path}.content", self._profile, self._report)
        if blocks:
            self._append_user(UserTurn(blocks))
        return [*results, *blocks] if results else blocks

    def _read_result_part(self, part: Block, path: str) -> list[Block]:
        id = optional_string(part, "tool_use_id", path)
        found = self._calls.with_id(id) if id else self._calls.next_open()
        content = user_blocks(part.get("content"), f"{path}.content", self._profile, self._report)
        marks = cache_control(part, path)
        if optional_boolean(part, "is_error", path):
            if all(block["type"] == "text" for block in content):
                marks["is_error"] = True
            else:
                # `all content must be type "text" if "is_error" is true` (observed message)
                self._report.ignore("messages[].content[].is_error")
        return self._answer(found, content, marks, f"{path}.type")

    def _append_user(self, turn: UserTurn) -> None:
        self._turns.append(turn)
        self._continuable = None

    def _read_assistant(self, message: Block, path: str) -> list[Block]:
        text = assistant_text(message, path, self._report)
        made = calls(message, path)
        if message.get("audio") is not None:
            # A reference to speech that the client heard; there is no text to send for it.
            self._report.ignore("messages[].audio")
        thinking = self._thinking(message)
        if not text and not made:
            if thinking:
                # `The final block in an assistant message cannot be thinking`: cut while thinking, it says nothing.
                self._report.ignore("messages[].thinking_blocks")
            return []
        turn = self._turn_for(bool(made))
        if thinking:
            text = interleaved(text, [t for t in thinking if not 0 < t.calls < len(made)], ends=not made)
        if text:
            turn.say(text)
        blocks = [self._call(turn, call) for call in made]
        for thought in thinking:
            if 0 < thought.calls < len(made):
                turn.think(blocks[thought.calls]["id"], [thought.block])
        return [*text, *blocks]

    def _turn_for(self, calling: bool) -> AssistantTurn:
        """Adjacent messages are one turn, parallel calls that a client split over several messages too; but what is
        said behind a call was said later."""
        turn = self._continuable
        if turn is None or (turn.calls and not calling):
            turn = self._continuable = AssistantTurn()
            self._calls.move_on()
            self._turns.append(turn)
        return turn

    def _call(self, turn: AssistantTurn, call: Call) -> Block:
        name = self._box.names.sent(call.name)
        id = self._ids.sent(call.id, str(len(self._turns)), str(len(turn.calls)), call.name)
        input = call.input(self._box.forms.get(name), self._report)
        block = {"type": "tool_use", "id": id, "name": name, "input": input} | call.marks
        turn.calls.append(block)
        self._called.append(name)
        self._calls.add(turn, id, call.id, call.name)
        return block

    def _thinking(self, message: Block) -> list[Thought]:
        if not self._known and not may_hold_thinking(message):
            return []
        return replayed_thinking(message, self._known, self._profile, self._report)

    def _read_result(self, message: Block, path: str) -> list[Block]:
        found = self._answered_call(message, path)
        content = user_blocks(message.get("content"), f"{path}.content", self._profile, self._report)
        return self._answer(found, content, {}, f"{path}.role")

    def _answer(
        self, found: tuple[AssistantTurn, str] | None, content: list[Block], marks: Block, path: str
    ) -> list[Block]:
        """Put a result of `content` where its call is; `marks` are the result's other fields."""
        if found is None:
            # No such call came before: what the tool said is kept as the user's text.
            self._report.adjust(path, "user")
            if content:
                self._append_user(UserTurn(content))
            return content
        turn, sent_id = found
        if sent_id in turn.results:
            self._report.adjust("messages[].tool_call_id", "the last of several results")
        if (
            len(self._turns) > 1
            and self._turns[-2] is turn
            and self._turns[-1] is self._continuable
            and not (turn.results or self._continuable.calls)
        ):
            # Text between the calls and their first result belongs to the answer that made the calls.
            turn.say(self._continuable.said)
            self._turns.pop()
        self._continuable = None
        turn.results[sent_id] = result = tool_result(sent_id, content) | marks
        return [result]

    def _answered_call(self, message: Block, path: str) -> tuple[AssistantTurn, str] | None:
        if id := optional_string(message, "tool_call_id", path):
            return self._calls.with_id(id)
        name = message.get("name")
        if message["role"] == "function" and name is None:
            raise missing(f"{path}.name")
        found = self._calls.with_name(name) if name else None
        return found or (self._calls.next_open() if message["role"] == "tool" else None)


_ROLES: dict[str, Callable[[HistoryReader, Block, str], list[Block]]] = {
    "system": HistoryReader._read_system,
    "developer": HistoryReader._read_system,
    "user": HistoryReader._read_user,
    "assistant": HistoryReader._read_assistant,
    "tool": HistoryReader._read_result,
    "function": HistoryReader._read_result,
}
