"""`response_format` -> native structured output, a forced tool whose input is the answer, or an instruction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.profiles import Profile
from app.translate.checks import a_string, an_object, invalid_value, missing
from app.translate.report import Report
from app.translate.schema import tool_schema
from app.translate.tools import Toolbox, ToolChoice, ToolForm

Block = dict[str, Any]
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_UNSUPPORTED = (
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern maxItems "
    "uniqueItems patternProperties minProperties maxProperties if then else not propertyNames contains "
    "minContains maxContains dependentRequired dependentSchemas prefixItems unevaluatedProperties"
).split()
"""Keywords the API refuses: `For 'array' type, property 'uniqueItems' is not supported` (observed message)."""


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


def json_format(chat_request: Block) -> JsonFormat | None:
    """The wish in `response_format`; None for text. Raises InvalidRequest for an unknown or incomplete one."""
    wish = chat_request.get("response_format")
    if wish is None:
        return None
    kind = an_object(wish, "response_format").get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return JsonFormat("json_answer", None)
    if kind != "json_schema":
        raise invalid_value("response_format.type", "'text', 'json_object', and 'json_schema'", kind)
    path = "response_format.json_schema"
    if wish.get("json_schema") is None:
        raise missing(path)
    format = an_object(wish["json_schema"], path)
    name = a_string(format.get("name") or "json_answer", f"{path}.name")
    description = format.get("description")
    if description is not None:
        description = a_string(description, f"{path}.description")
    schema = format.get("schema")
    return JsonFormat(name, None if schema is None else an_object(schema, f"{path}.schema"), description)


def json_plan(
    format: JsonFormat,
    profile: Profile,
    box: Toolbox,
    choice: ToolChoice | None,
    thinking_wanted: bool,
    report: Report,
) -> JsonPlan:
    """The best way this model has; `choice` is the client's tool_choice, which a forced tool must respect."""
    if format.schema is not None and profile.structured_outputs:
        native = native_schema(format.schema)
        if native is not None:
            return JsonPlan(native={"type": "json_schema", "schema": native})
    if choice and choice.forced:
        return JsonPlan()
    if thinking_wanted or profile.always_thinks or not profile.forced_tool_choice:
        report.adjust("response_format", "an instruction")
        return JsonPlan(hint=_hint(format))
    name = _add_json_tool(format, box, report)
    others = len(box.definitions) > 1 and not (choice and choice.mode == "none")
    report.adjust("response_format", f"the tool {name}")
    return JsonPlan(tool=name, choice=ToolChoice("any") if others else ToolChoice("tool", name))


def _add_json_tool(format: JsonFormat, box: Toolbox, report: Report) -> str:
    name = format.name
    while box.names.sent(name) in box.definitions:
        name += "_answer"
    sent_name = box.names.sent(name)
    repaired = tool_schema(format.schema)
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


def native_schema(schema: Block) -> Block | None:
    """`schema` within the API's subset: unsupported keywords told in the description, every object closed.

    None where the subset cannot express it: a root that is no object, recursion, or open objects.
    """
    repaired = tool_schema(schema)
    if repaired.wrapped or repaired.renamed or _recursive(repaired.schema, repaired.schema, ()):
        return None
    try:
        closed: Block = _closed(repaired.schema)
    except _OpenObject:
        return None
    return closed


class _OpenObject(Exception):
    """An object takes properties that it does not name; the API demands `additionalProperties: false`."""


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    result: Block = {}
    told = []
    for keyword, value in schema.items():
        keyword = "anyOf" if keyword == "oneOf" else keyword
        unsupported_format = keyword == "format" and value not in _FORMATS
        if keyword in _UNSUPPORTED or unsupported_format or (keyword == "minItems" and value > 1):
            told.append(f"{keyword}: {json.dumps(value, ensure_ascii=False)}")
        elif keyword in {"properties", "$defs"}:
            result[keyword] = {name: _closed(child) for name, child in value.items()}
        elif keyword in {"anyOf", "allOf"}:
            result[keyword] = [_closed(child) for child in value]
        elif keyword == "items":
            result[keyword] = _closed(value)
        else:
            result[keyword] = value
    if told:
        result["description"] = " ".join([*filter(None, [result.get("description")]), f"({'; '.join(told)})"])
    if result.get("type") == "object" or "properties" in result:
        if result.get("additionalProperties") or not result.get("properties"):
            raise _OpenObject
        result["additionalProperties"] = False
    return result


def _recursive(schema: Any, root: Block, path: tuple[str, ...]) -> bool:
    if isinstance(schema, list):
        return any(_recursive(child, root, path) for child in schema)
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference in path or not reference.startswith("#/$defs/"):
            return True
        definition = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
        if _recursive(definition, root, (*path, reference)):
            return True
    return any(_recursive(v, root, path) for k, v in schema.items() if k not in {"$defs", "enum", "const"})
