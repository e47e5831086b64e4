"""`response_format` -> native structured output, a forced tool whose input is the answer, or an instruction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.profiles.profile import Profile
from app.translate.checks import an_object, invalid_value, missing, optional_boolean, optional_string
from app.translate.native_schema import StrictBudget
from app.translate.report import Report
from app.translate.schema import tool_schema
from app.translate.tool_choice import ToolChoice
from app.translate.tools import Toolbox, ToolForm
from app.translate.turns import History

Block = dict[str, Any]


@dataclass(frozen=True)
class JsonFormat:
    """The client's wish for JSON: a schema, or None for any object."""

    name: str
    schema: Block | None
    description: str | None = None


@dataclass(frozen=True)
class JsonPlan:
    """How the wish goes upstream. One of `native` (output_config.format), `tool` (a name) or `hint` (system text)."""

    native: Block | None = None
    tool: str | None = None
    hint: str | None = None
    choice: ToolChoice | None = None


NO_JSON = JsonPlan()


def json_format(chat_request: Block) -> JsonFormat | None:
    """The wish in `response_format`; None for text. Raises InvalidRequest for an unknown or incomplete one."""
    wish = chat_request.get("response_format")
    if wish is None:
        return None
    kind = optional_string(an_object(wish, "response_format"), "type", "response_format")
    if kind is None:
        raise missing("response_format.type")
    if kind == "text":
        return None
    if kind == "json_object":
        # llama.cpp, Together and Fireworks take a schema beside it.
        return JsonFormat("json_answer", _schema(wish, "response_format"))
    if kind != "json_schema":
        raise invalid_value("response_format.type", "'text', 'json_object', and 'json_schema'", kind)
    path = "response_format.json_schema"
    if wish.get("json_schema") is None:
        raise missing(path)
    format = an_object(wish["json_schema"], path)
    name = optional_string(format, "name", path) or "json_answer"
    description = optional_string(format, "description", path)
    optional_boolean(format, "strict", path)
    return JsonFormat(name, _schema(format, path), description)


def _schema(owner: Block, path: str) -> Block | None:
    schema = owner.get("schema")
    return None if schema is None else an_object(schema, f"{path}.schema")


def json_plan(
    format: JsonFormat,
    profile: Profile,
    box: Toolbox,
    choice: ToolChoice | None,
    history: History,
    thinks: bool,
    report: Report,
) -> JsonPlan:
    """The best way this model has.

    `choice` is the client's tool_choice, which a forced tool must respect; no tool can be forced where it asked for
    thinking or began the answer itself. Native output goes with neither such a prefill nor citations (Anthropic's page
    on structured outputs).
    """
    native = None if history.prefilled or _cites(history.messages) else _native(format, profile)
    if native is not None:
        return JsonPlan(native={"type": "json_schema", "schema": native})
    if choice and choice.forced and profile.forced_tool_choice:
        # The answer will be a call, not content.
        return JsonPlan()
    if thinks or history.prefilled or profile.always_thinks or not profile.forced_tool_choice:
        report.adjust("response_format", "an instruction")
        return JsonPlan(hint=_hint(format))
    name = _add_json_tool(format, box, report)
    others = len(box.definitions) > 1 and not (choice and choice.mode == "none")
    report.adjust("response_format", f"the tool {name}")
    return JsonPlan(tool=name, choice=ToolChoice("any") if others else ToolChoice("tool", name))


def _cites(messages: list[Block]) -> bool:
    return any(_is_cited(block) for message in messages for block in message["content"])


def _is_cited(block: Block) -> bool:
    if block["type"] == "tool_result":
        content = block.get("content")
        return isinstance(content, list) and any(map(_is_cited, content))
    return block["type"] == "document" and bool((block.get("citations") or {}).get("enabled"))


def _native(format: JsonFormat, profile: Profile) -> Block | None:
    """The schema for output_config.format; None where the model has none, or its subset cannot express it."""
    if format.schema is None or not profile.structured_outputs:
        return None
    repaired = tool_schema(format.schema)
    closed = None if repaired.wrapped or repaired.renamed else repaired.native
    return closed if closed is not None and StrictBudget().takes(closed) else None


def _add_json_tool(format: JsonFormat, box: Toolbox, report: Report) -> str:
    name = format.name
    while box.names.sent(name) in box.definitions:
        name += "_answer"
    sent_name = box.names.sent(name)
    repaired = tool_schema({"type": "object", "additionalProperties": True} if format.schema is None else format.schema)
    description = "Call this to give the final answer; its input is the answer, a JSON object."
    definition = {
        "name": sent_name,
        "description": f"{format.description}\n{description}" if format.description else description,
        "input_schema": repaired.schema,
    }
    form = ToolForm(name, False, repaired.wrapped, repaired.renamed, json_answer=True)
    box.add(sent_name, definition, form, report, "response_format")
    return sent_name


def _hint(format: JsonFormat) -> str:
    sentence = "Answer with one JSON object only, without any text or code fence around it."
    if format.schema is None:
        return sentence
    schema = json.dumps(format.schema, ensure_ascii=False, separators=(",", ":"))
    return f"{sentence} It must match this JSON Schema: {schema}"
