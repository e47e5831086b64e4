"""Rules about messages: roles and their order, empty content, which block may stand where."""

import itertools
from collections.abc import Iterator

from .conversation import blocks, blocks_with_paths, ends_paused, is_server_block, messages, thinking_type
from .terms import SAMPLING_FREE_VERSION, Block, Body, Rule, Terms

MAX_MESSAGES = 100_000
USER_BLOCKS = {"text", "image", "document", "search_result", "tool_result", "container_upload"}
ASSISTANT_BLOCKS = {
    "text",
    "document",
    "tool_use",
    "thinking",
    "redacted_thinking",
    "container_upload",
    "mcp_tool_use",
    "mcp_tool_result",
    "compaction",
}


def no_messages(body: Body, _terms: Terms) -> str | None:
    """An empty list."""
    return None if body["messages"] else "messages: at least one message is required"


def too_many_messages(body: Body, _terms: Terms) -> str | None:
    """More than 100,000."""
    count = len(body["messages"])
    return f"messages: {count} messages exceed the maximum of {MAX_MESSAGES}" if count > MAX_MESSAGES else None


def first_message_not_user(body: Body, _terms: Terms) -> str | None:
    """The conversation begins with the assistant."""
    first = body["messages"][0]["role"]
    return 'messages: first message must use the "user" role' if first == "assistant" else None


def roles_not_alternating(body: Body, terms: Terms) -> str | None:
    """Two messages of one role in a row, where they are not merged."""
    if terms.profile.merges_adjacent_roles:
        return None
    roles = [message["role"] for message in body["messages"]]
    twice = next((a for a, b in itertools.pairwise(roles) if a == b), None)
    if twice is None:
        return None
    return f'messages: roles must alternate between "user" and "assistant", but found multiple "{twice}" roles in a row'


def system_role_unsupported(body: Body, terms: Terms) -> str | None:
    """A system message inside `messages`, on a model that does not take them."""
    text = terms.profile.system_role_refusal
    found = next((i for i, message in enumerate(body["messages"]) if message["role"] == "system"), None)
    return None if text is None or found is None else text.format(index=found)


def system_message_first(body: Body, _terms: Terms) -> str | None:
    """The initial system prompt in the wrong place."""
    if body["messages"][0]["role"] != "system":
        return None
    return "messages.0: use the top-level 'system' parameter for the initial system prompt"


def system_message_misplaced(body: Body, _terms: Terms) -> str | None:
    """A system message must follow a user message, and be the last or be followed by the assistant."""
    roles = [message["role"] for message in body["messages"]]
    for index, role in enumerate(roles):
        if role == "system" and (roles[index - 1] != "user" or roles[index + 1 : index + 2] not in ([], ["assistant"])):
            return (
                f"messages.{index}: a 'system' message must follow a 'user' message and be either the last "
                "message or followed by an 'assistant' message"
            )
    return None


def empty_message(body: Body, _terms: Terms) -> str | None:
    """No content, on any message but a final assistant one."""
    last = len(body["messages"]) - 1
    for index, message in enumerate(body["messages"]):
        if not message["content"] and not (index == last and message["role"] == "assistant"):
            return (
                f"messages.{index}: all messages must have non-empty content except for the optional final "
                "assistant message"
            )
    return None


def block_of_the_wrong_role(body: Body, _terms: Terms) -> str | None:
    """For example a tool_use in a user message, an image in an assistant one."""
    for index, message in enumerate(body["messages"]):
        role = message["role"]
        for block in blocks(message["content"]):
            kind = block["type"]
            by_role = {
                "user": kind in USER_BLOCKS,
                "assistant": kind in ASSISTANT_BLOCKS or is_server_block(block),
                "system": kind == "text",
            }
            if not by_role[role]:
                home = next((name for name, allowed in by_role.items() if allowed), "user")
                return f"messages.{index}: `{kind}` blocks can only be in `{home}` messages"
    return None


def _text_violation(where: str, path: str, block: Block) -> str | None:
    text = block["text"]
    if text.strip():
        return None
    if block.get("cache_control"):
        return f"{path}: cache_control cannot be set for empty text blocks"
    return f"{where}: text content blocks must " + ("contain non-whitespace text" if text else "be non-empty")


def blank_text(body: Body, _terms: Terms) -> str | None:
    """A text block without visible text; only a final assistant message may be an empty string."""
    for index, message in enumerate(body["messages"]):
        for position, block in enumerate(blocks(message["content"]) if message["content"] else []):
            path = f"messages.{index}.content.{position}.text"
            found = _text_violation("messages", path, block) if block["type"] == "text" else None
            if found:
                return found
    return None


def empty_text_in_tool_result(body: Body, _terms: Terms) -> str | None:
    """An empty text block inside a tool result, whose content itself may be empty."""
    for path, block in blocks_with_paths(body):
        if ".tool_result.content." in path and block["type"] == "text" and not block["text"]:
            return _text_violation(path, path, block)
    return None


def blank_system_text(body: Body, _terms: Terms) -> str | None:
    """A system text block without visible text; a bare empty string is taken as no system prompt."""
    system = body.get("system") or []
    found = (_text_violation("system", f"system.{i}.text", b) for i, b in enumerate(blocks(system) if system else []))
    return next(filter(None, found), None)


def prefill_unsupported(body: Body, terms: Terms) -> str | None:
    """A last message of the assistant, which newer models do not continue."""
    if terms.profile.prefill or body["messages"][-1]["role"] != "assistant" or ends_paused(body):
        return None
    return "This model does not support assistant message prefill. The conversation must end with a user message."


def prefill_ending_blank(body: Body, _terms: Terms) -> str | None:
    """A prefill whose text ends in whitespace."""
    last = body["messages"][-1]
    found = blocks(last["content"])
    if last["role"] != "assistant" or not found or found[-1]["type"] != "text":
        return None
    text = found[-1]["text"]
    if text == text.rstrip():
        return None
    return "messages: final assistant content cannot end with trailing whitespace"


def prefill_with_thinking(body: Body, _terms: Terms) -> str | None:
    """A prefill while thinking is on."""
    thinking = thinking_type(body) in ("enabled", "adaptive")
    if not thinking or body["messages"][-1]["role"] != "assistant" or ends_paused(body):
        return None
    return "messages: prefilling the final assistant message is not supported when thinking is enabled"


def _texts_of_the_user(body: Body) -> Iterator[tuple[str, Block]]:
    users = {f"messages.{index}" for index, _ in messages(body, "user")}
    for path, block in blocks_with_paths(body):
        if block["type"] == "text" and ".".join(path.split(".")[:2]) in users:
            yield path, block


def removed_in_the_newest_version(body: Body, terms: Terms) -> str | None:
    """Documents directly in assistant messages, and citations on the user's own text."""
    if terms.version != SAMPLING_FREE_VERSION:
        return None
    for index, found in messages(body, "assistant"):
        if any(block["type"] == "document" for block in found):
            return f"messages.{index}: `document` blocks can only be in `user` messages"
    cited = next((path for path, block in _texts_of_the_user(body) if block.get("citations")), None)
    return f"{cited}.citations: citations are not permitted on user text blocks" if cited else None


RULES: tuple[Rule, ...] = (
    no_messages,
    too_many_messages,
    first_message_not_user,
    system_message_first,
    system_message_misplaced,
    roles_not_alternating,
    empty_message,
    block_of_the_wrong_role,
    blank_text,
    empty_text_in_tool_result,
    blank_system_text,
    prefill_unsupported,
    prefill_ending_blank,
    prefill_with_thinking,
    removed_in_the_newest_version,
)
