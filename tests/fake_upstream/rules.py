"""The first reason, in a fixed order, for which an upstream refuses a Messages request."""

from collections.abc import Mapping
from types import ModuleType

from . import (
    rules_cache,
    rules_capabilities,
    rules_media,
    rules_messages,
    rules_output_format,
    rules_thinking,
    rules_tool_definitions,
    rules_tool_history,
    rules_top_level,
)
from .profiles import Enforced, ModelProfile
from .request_shapes import COUNT_REQUEST, MESSAGES_REQUEST
from .rules_top_level import Refusal, encoding_refusal, header_refusal
from .terms import Body, Rule, Terms

LEGAL_HEADERS: Mapping[str, str] = {"x-api-key": "any-key", "anthropic-version": "2023-06-01"}
"""Headers that are never the reason for a refusal."""

GROUPS: tuple[tuple[Enforced, ModuleType], ...] = (
    (Enforced.CAPABILITIES, rules_capabilities),
    (Enforced.MESSAGES, rules_messages),
    (Enforced.TOOL_HISTORY, rules_tool_history),
    (Enforced.TOOL_DEFINITIONS, rules_tool_definitions),
    (Enforced.THINKING, rules_thinking),
    (Enforced.MESSAGES, rules_top_level),
    (Enforced.MEDIA, rules_media),
    (Enforced.CACHE, rules_cache),
    (Enforced.OUTPUT_FORMAT, rules_output_format),
)


def rules_in_order() -> list[tuple[Enforced, Rule]]:
    """Every rule about a body of legal shape, with the group it belongs to."""
    system_role = (Enforced.SYSTEM_ROLE, rules_messages.system_role_unsupported)
    return [system_role, *((group, rule) for group, module in GROUPS for rule in module.RULES)]


def first_violated(body: Body, terms: Terms) -> tuple[Rule, str] | None:
    """(rule, message) of the first rule that a body of legal shape violates."""
    found = ((rule, rule(body, terms)) for group, rule in rules_in_order() if terms.enforces(group))
    return next(((rule, message) for rule, message in found if message), None)


def refusal(
    body: object, profile: ModelProfile, headers: Mapping[str, str] = LEGAL_HEADERS, *, counting: bool = False
) -> Refusal | None:
    """The refusal of a parsed request body, None when the upstream would answer it.

    Headers first, then the shape (types, unknown and missing fields), then what the rules say about messages,
    tool history, tool definitions, thinking and sampling, limits, media, cache and output format. `counting`
    judges the body of count_tokens instead.
    """
    terms = Terms.of(profile, headers, counting=counting)
    early = header_refusal(headers, terms) or encoding_refusal(body)
    if early is not None:
        return early
    message = (COUNT_REQUEST if counting else MESSAGES_REQUEST)(body, "", terms)
    if message is not None:
        return Refusal.invalid(message.removeprefix(": "))
    assert isinstance(body, dict)
    violated = first_violated(body, terms)
    return Refusal.invalid(violated[1]) if violated else None
