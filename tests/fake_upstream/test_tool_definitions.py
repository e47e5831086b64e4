"""The strict fake on tool definitions and tool_choice."""

from typing import Any

import pytest

from tests.fake_upstream import (
    V47,
    V55,
    rules_tool_definitions,
)
from tests.fake_upstream.cases import (
    CACHED,
    CLOSED,
    ENABLED,
    LONG,
    SCHEMA,
    TOOL,
    Case,
    body,
    rules_without_a_case,
    schema,
    tool,
)

STRICT = {**TOOL, "strict": True, "input_schema": CLOSED}
UNION = {"anyOf": [{"type": "string"}, {"type": "null"}]}
INVALID_SCHEMAS: dict[str, dict[str, Any]] = {
    "type any": {"properties": {"a": {"type": "any"}}},
    "draft 4 exclusiveMinimum": {"properties": {"a": {"type": "number", "exclusiveMinimum": True}}},
    "required true": {"properties": {"a": {"type": "string", "required": True}}},
    "properties null": {"properties": None},
    "items a list": {"properties": {"a": {"type": "array", "items": [{"type": "string"}]}}},
    "enum no list": {"properties": {"a": {"enum": "x"}}},
    "dangling reference": {"properties": {"a": {"$ref": "#/$defs/nothing"}}},
    "empty anyOf": {"properties": {"a": {"anyOf": []}}},
    "property no schema": {"properties": {"a": "string"}},
    "description a number": {"description": 5},
    "negative length": {"properties": {"a": {"minLength": -1}}},
    "broken pattern": {"properties": {"a": {"pattern": "("}}},
    "broken pattern of property names": {"patternProperties": {"(": {}}},
}
VALID_SCHEMA = schema(
    **{
        "$defs": {"a": {"type": ["string", "null"], "enum": ["x", None]}},
        "properties": {
            "a": {"$ref": "#/$defs/a"},
            "b-c.d": True,
            "e": {"exclusiveMinimum": 0, "oneOf": [{}]},
        },
        "required": ["a"],
    }
)
TOOL_DEFINITIONS = [
    Case(
        "tool name pattern",
        tool(name="get.weather"),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        tool(name="n" * 128),
    ),
    Case("tool name empty", tool(name=""), "tools.0.custom.name: String should match pattern", tool(name="n")),
    Case(
        "repeated tool names",
        body(tools=[TOOL, TOOL]),
        "tools: Tool names must be unique.",
        body(tools=[TOOL, {**TOOL, "name": "other"}]),
    ),
    Case(
        "missing input_schema",
        body(tools=[{"name": "x"}]),
        "tools.0.custom.input_schema: Field required",
        body(tools=[TOOL]),
    ),
    Case(
        "input_schema without type",
        tool(input_schema={}),
        "tools.0.custom.input_schema.type: Field required",
        tool(input_schema={"type": "object"}),
    ),
    Case(
        "input_schema no object",
        tool(input_schema={"type": "array"}),
        "tools.0.custom.input_schema.type: Input should be 'object'",
        tool(),
    ),
    *(
        Case(
            f"{keyword} at the top",
            schema(**{keyword: [{}]}),
            "does not support oneOf, allOf, or anyOf",
            tool(),
        )
        for keyword in ("oneOf", "anyOf", "allOf")
    ),
    *(
        Case(f"invalid schema: {name}", schema(**keywords), "JSON schema is invalid.", VALID_SCHEMA)
        for name, keywords in INVALID_SCHEMAS.items()
    ),
    Case(
        "odd property key",
        schema(properties={"a b": {}}),
        "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
        schema(properties={"a.b-c_1": {}}),
    ),
    Case(
        "tool type function",
        body(tools=[{"type": "function", "function": {}}]),
        "tools.0: Input tag 'function' found using 'type' does not match any of the expected tags: 'bash_20250124'",
        tool(type="custom"),
    ),
    Case(
        "description null",
        tool(description=None),
        "tools.0.custom.description: Input should be a valid string",
        tool(description=""),
    ),
    Case(
        "tool_choice without tools",
        body(tool_choice={"type": "auto"}),
        "tool_choice: tool_choice may only be specified while providing tools",
        body(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    ),
    Case(
        "tool_choice a string",
        body(tools=[TOOL], tool_choice="auto"),
        "tool_choice: Input should be a valid dictionary or object to extract fields from",
        body(tools=[TOOL], tool_choice={"type": "none"}),
    ),
    Case(
        "tool_choice of an absent tool",
        body(tools=[TOOL], tool_choice={"type": "tool", "name": "x"}),
        "tool_choice: Tool 'x' not found in provided tools",
        body(tools=[TOOL], tool_choice={"type": "tool", "name": "get_weather"}),
    ),
    Case(
        "forced tool with thinking",
        body(tools=[TOOL], tool_choice={"type": "any"}, thinking=ENABLED, max_tokens=LONG),
        "Thinking may not be enabled when tool_choice forces tool use.",
        body(tools=[TOOL], tool_choice={"type": "auto"}, thinking=ENABLED, max_tokens=LONG),
    ),
    Case(
        "forced tool unsupported",
        body(tools=[TOOL], tool_choice={"type": "any"}),
        'tool_choice: type "tool" and "any" are not supported for this model.',
        body(tools=[TOOL], tool_choice={"type": "any"}),
        V55,
        accepting_profile=V47,
    ),
    Case(
        "too many strict tools",
        body(tools=[{**STRICT, "name": f"t{i}"} for i in range(21)]),
        "Too many strict tools (21)",
        body(tools=[{**STRICT, "name": f"t{i}"} for i in range(20)]),
    ),
    Case(
        "too many optional parameters",
        tool(strict=True, input_schema={**CLOSED, "properties": {f"p{i}": {} for i in range(25)}}),
        "too many optional parameters (25)",
        tool(input_schema={**SCHEMA, "properties": {f"p{i}": {} for i in range(25)}}),
    ),
    Case(
        "too many unions",
        tool(strict=True, input_schema={**CLOSED, "properties": {f"p{i}": UNION for i in range(17)}}),
        "too many parameters with union types (17",
        tool(strict=True, input_schema={**CLOSED, "properties": {f"p{i}": UNION for i in range(16)}}),
    ),
    Case(
        "strict schema left open",
        tool(strict=True),
        "tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false",
        body(tools=[STRICT]),
    ),
    Case(
        "cache_control on a deferred tool",
        body(tools=[TOOL, {**TOOL, **CACHED, "name": "later", "defer_loading": True}]),
        "cannot have both defer_loading=true and cache_control",
        body(tools=[{**TOOL, **CACHED}, {**TOOL, "name": "later", "defer_loading": True}]),
    ),
    Case("all tools deferred", tool(defer_loading=True), "At least one tool must have", body(tools=[])),
]


@pytest.mark.parametrize("case", TOOL_DEFINITIONS, ids=lambda case: case.rule)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert rules_without_a_case(rules_tool_definitions.RULES, TOOL_DEFINITIONS) == []
