"""Keys under which the thinking of an answer with tool calls is kept, and found again in the history sent back.

A key must be told by that history alone: clients return a call's id, name and arguments, but none of the thinking. An
id that nobody else can have is the key. Many ids are not: Kimi's `functions.f:0` begins anew in each conversation,
gateways count `call_0`, the legacy `function_call` has none. In their place stands a fingerprint of the call's name
and arguments and of all that was said before the answer: system prompts, texts, other parts, calls and results, in
order.

So blocks come back only into a conversation that is, up to the call, the one in which they were thought: they can tell
it nothing new. Less would not do: an application that serves many people with one key may say who asks in the system
prompt alone, and all of them ask `What is my balance?`.

Clients may write JSON and such ids anew, send text as parts or strip its ends, and the fingerprint stays. One that
rewrites what came before the call (drops old messages, has a clock in its system prompt) goes on without its blocks.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from app.translate.arguments import check_arguments
from app.translate.assistant import SPOKEN, spoken_texts
from app.translate.content import is_blank
from app.translate.thinking_forms import Remembered, needs_the_store
from app.translate.told_calls import ToldCall, told_calls

Block = dict[str, Any]
MAX_ID_LENGTH = 256
"""Ids become keys of the store as they are: longer ones are nobody's, and half a surrogate pair is no text to it."""
_RUN = re.compile(r"[A-Za-z0-9]{12,}")
_LETTER_AFTER_DIGIT = re.compile(r"[0-9][A-Za-z]")
_DIGITS = "0123456789"
_NUMBERS_AS_FLOATS = json.JSONDecoder(parse_int=float)
"""JavaScript writes 1.0 as 1, and large integers as the nearest float."""
_NOT_AS_JSON = frozenset([*SPOKEN, "tool_use", "thinking", "redacted_thinking"])
"""Parts that are read as texts and calls, or that clients drop."""


def names_one_call(call: ToldCall) -> bool:
    """Whether the id is random: 12 or more letters and digits in a row, mixed as words and counters are not, and not
    taken from the tool's name. A random one that is not recognised is only harder to find again."""
    if len(call.id) > MAX_ID_LENGTH or not call.id.isascii():
        return False
    for run in _RUN.findall(call.id):
        if _LETTER_AFTER_DIGIT.search(run) and run.rstrip(_DIGITS) not in call.name:
            return True
    return False


def conversation_of(chat_request: Block) -> Block:
    """The part of a request that `answer_keys` reads."""
    return {name: chat_request[name] for name in ("system", "messages") if name in chat_request}


def answer_keys(chat_request: Block, thinking: Mapping[ToldCall, list[Block]]) -> dict[str, list[Block]]:
    """The blocks of an answer's calls, each under the key that the next request will tell."""
    if not thinking:
        return {}
    conversation = _Conversation(chat_request)
    end = len(conversation.messages)
    try:
        return {conversation.key(end, call): blocks for call, blocks in thinking.items()}
    except _UNREADABLE:
        return {}


def recalled(chat_request: Block, recall: Callable[[list[str]], Mapping[str, Sequence[Block]]]) -> Remembered:
    """What `recall` finds, by keys, of the thinking that the messages do not bring, or whose place they do not tell.

    The request is unvalidated. Without a call to ask for, `recall` is not called. Raises InvalidRequest as
    `check_arguments` does.
    """
    wanted = _calls_without_thinking(chat_request.get("messages"))
    if not wanted:
        return {}
    conversation = _Conversation(chat_request)
    try:
        keys = {index: [conversation.key(index, call) for call in calls] for index, calls in wanted.items()}
    except _UNREADABLE:
        return {}
    found = recall(list(dict.fromkeys(itertools.chain.from_iterable(keys.values()))))
    if not found:
        return {}
    known = {index: next((found[key] for key in asked if key in found), ()) for index, asked in keys.items()}
    return {index: blocks for index, blocks in known.items() if blocks}


def _calls_without_thinking(messages: Any) -> dict[int, list[ToldCall]]:
    """The calls to ask for, by index of their message."""
    wanted = {}
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("role") == "assistant":
            calls = told_calls(message)
            if calls and needs_the_store(message):
                wanted[index] = calls
    return wanted


class _Conversation:
    """The messages of a request, read as far as a key depends on them and no further."""

    def __init__(self, chat_request: Block) -> None:
        messages = chat_request.get("messages")
        self.messages: list[Any] = messages if isinstance(messages, list) else []
        self._system = chat_request.get("system")
        self._begun = False
        self._read = 0
        self._said = hashlib.blake2b(digest_size=32)

    def key(self, index: int, call: ToldCall) -> str:
        """The key of a call in the message at `index`; indexes must not fall."""
        if names_one_call(call):
            return call.id
        self._read_up_to(index)
        fingerprint = self._said.copy()
        fingerprint.update(_framed(_made(call)))
        return fingerprint.hexdigest()

    def _read_up_to(self, index: int) -> None:
        if not self._begun:
            self._begun = True
            check_arguments(self.messages)
            self._said.update(_framed(["system", *_said({"content": self._system})]))
        for message in self.messages[self._read : index]:
            self._said.update(_framed([str(message.get("role")), *_said(message)] if isinstance(message, dict) else []))
        self._read = index


def _said(message: Block) -> list[str]:
    """What the model reads of a message, without what clients drop or write in another way."""
    content = message.get("content")
    said = [text.strip() for text in spoken_texts(message)]
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and not (isinstance(part.get("type"), str) and part["type"] in _NOT_AS_JSON):
            said.append(_json({name: value for name, value in part.items() if name != "cache_control"}))
    for call in told_calls(message):
        said += _made(call)
    return said


def _made(call: ToldCall) -> list[str]:
    """A call without its id, which some clients write anew; arguments that are no JSON are the text they are."""
    arguments = call.arguments
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else _json(arguments)
    try:
        value = {} if is_blank(arguments) else _NUMBERS_AS_FLOATS.decode(arguments)
        arguments = _json({} if value is None else value)
    except (ValueError, TypeError, RecursionError):
        arguments = arguments.strip()
    return ["call", call.name, arguments]


def _framed(texts: list[str]) -> bytes:
    """`texts` behind their lengths, so that no other texts give the same bytes."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join([b"%s;" % repr([*map(len, encoded)]).encode(), *encoded])


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


_UNREADABLE = (TypeError, RecursionError)
"""Of a part that cannot be written as JSON: nested too deeply, or half a surrogate pair."""
