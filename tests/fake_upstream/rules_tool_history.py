"""Rules about tool calls and their results in the history."""

from collections.abc import Iterator

from .conversation import SERVER_RESULT, blocks, messages, tool_name_of, turns
from .terms import Block, Body, Rule, Terms

RESULTS_OF_OTHER_TOOLS = ("tool_result", "mcp_tool_result")
OFFERED_AS = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
}


def _ids_called(found: list[Block]) -> list[str]:
    return [block["id"] for block in found if block["type"] == "tool_use"]


def _leading_results(found: list[Block]) -> list[Block]:
    """The tool results before any other block."""
    end = next((i for i, block in enumerate(found) if block["type"] != "tool_result"), len(found))
    return found[:end]


def _text_after_a_call(found: list[Block]) -> bool:
    kinds = [block["type"] for block in found]
    return "tool_use" in kinds and "text" in kinds[kinds.index("tool_use") :]


def calls_without_results(body: Body, _terms: Terms) -> str | None:
    """A tool_use whose result does not stand among the first blocks of the very next, user message."""
    sent = body["messages"]
    for index, found in messages(body, "assistant"):
        following = sent[index + 1] if index + 1 < len(sent) else {"role": "user", "content": ""}
        answers = _leading_results(blocks(following["content"])) if following["role"] == "user" else []
        answered = {block["tool_use_id"] for block in answers}
        missing = [call for call in _ids_called(found) if call not in answered or _text_after_a_call(found)]
        if missing:
            return (
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )
    return None


def _results(body: Body) -> Iterator[tuple[int, int, Block]]:
    for index, found in messages(body, "user"):
        for position, block in enumerate(found):
            if block["type"] == "tool_result":
                yield index, position, block


def results_without_calls(body: Body, _terms: Terms) -> str | None:
    """A tool_result whose call is not in the message before."""
    sent = body["messages"]
    for index, position, block in _results(body):
        before = sent[index - 1] if index and sent[index - 1]["role"] == "assistant" else {"content": ""}
        if block["tool_use_id"] not in _ids_called(blocks(before["content"])):
            return (
                f"messages.{index}.content.{position}: unexpected `tool_use_id` found in `tool_result` "
                f"blocks: {block['tool_use_id']}. Each `tool_result` block must have a corresponding "
                "`tool_use` block in the previous message."
            )
    return None


def two_results_for_one_call(body: Body, _terms: Terms) -> str | None:
    """The same call answered twice."""
    seen: set[tuple[int, str]] = set()
    for index, position, block in _results(body):
        if (index, block["tool_use_id"]) in seen:
            return (
                f"messages.{index}.content.{position}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {block['tool_use_id']}"
            )
        seen.add((index, block["tool_use_id"]))
    return None


def repeated_call_ids(body: Body, _terms: Terms) -> str | None:
    """One id used for two calls, anywhere in the history."""
    seen: set[str] = set()
    for index, found in messages(body, "assistant"):
        for position, block in enumerate(found):
            if block["type"] == "tool_use" and block["id"] in seen:
                return f"messages.{index}.content.{position}: `tool_use` ids must be unique"
            seen.update(_ids_called([block]))
    return None


def tool_history_without_tools(body: Body, _terms: Terms) -> str | None:
    """Calls or results in the history of a request that defines no tools."""
    kinds = {block["type"] for _, found in messages(body) for block in found}
    if body.get("tools") or not kinds & {"tool_use", "tool_result"}:
        return None
    return "Requests which include `tool_use` or `tool_result` blocks must define tools."


def error_result_with_media(body: Body, _terms: Terms) -> str | None:
    """An error result may hold text only."""
    for index, position, block in _results(body):
        kinds = {inner["type"] for inner in blocks(block.get("content"))}
        if block.get("is_error") and kinds - {"text"}:
            return (
                f"messages.{index}.content.{position}.tool_result: all content must be type `text` "
                "if `is_error` is true"
            )
    return None


def _is_server_result(block: Block) -> bool:
    return str(block["type"]).endswith(SERVER_RESULT) and block["type"] not in RESULTS_OF_OTHER_TOOLS


def server_results_without_calls(body: Body, _terms: Terms) -> str | None:
    """The result of a server tool needs its server_tool_use before it, in the same turn."""
    called: set[str] = set()
    for index, found in messages(body):
        if body["messages"][index]["role"] != "assistant":
            called.clear()
        for position, block in enumerate(found):
            if block["type"] == "server_tool_use":
                called.add(block["id"])
            elif _is_server_result(block) and block["tool_use_id"] not in called:
                kind = block["type"]
                return (
                    f"messages.{index}.content.{position}: unexpected `tool_use_id` found in `{kind}` "
                    f"blocks: {block['tool_use_id']}. Each `{kind}` block must have a corresponding "
                    "`server_tool_use` block before it."
                )
    return None


def server_calls_of_absent_tools(body: Body, _terms: Terms) -> str | None:
    """A server tool in the history that the request does not offer."""
    offered = {tool_name_of(tool) for tool in body.get("tools", [])}
    for _, found in turns(body):
        for block in found:
            name = block.get("name")
            if block["type"] == "server_tool_use" and OFFERED_AS.get(str(name), name) not in offered:
                return f"Tool '{name}' not found in provided tools"
    return None


RULES: tuple[Rule, ...] = (
    calls_without_results,
    results_without_calls,
    two_results_for_one_call,
    repeated_call_ids,
    tool_history_without_tools,
    error_result_with_media,
    server_results_without_calls,
    server_calls_of_absent_tools,
)
