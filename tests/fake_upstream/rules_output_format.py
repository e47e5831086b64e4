"""Rules about structured output."""

from typing import Any

from .conversation import blocks_with_paths, ends_paused
from .json_schema import INVALID, is_valid
from .structured_outputs import unsupported
from .terms import Body, Rule, Terms

PATH = "output_config.format.schema"


def _format(body: Body) -> dict[str, Any] | None:
    return (body.get("output_config") or {}).get("format") or body.get("output_format")


def output_format_unsupported(body: Body, terms: Terms) -> str | None:
    """A model without structured outputs."""
    if _format(body) is None or terms.profile.structured_output:
        return None
    return f"'{body['model']}' does not support output format."


def invalid_output_schema(body: Body, _terms: Terms) -> str | None:
    """Not a JSON Schema of draft 2020-12."""
    wanted = _format(body)
    return None if wanted is None or is_valid(wanted["schema"]) else f"{PATH}: {INVALID}"


def unsupported_output_schema(body: Body, _terms: Terms) -> str | None:
    """Outside the subset that structured outputs support."""
    wanted = _format(body)
    found = unsupported(wanted["schema"]) if wanted else None
    return f"{PATH}: {found}" if found else None


def output_format_with_citations(body: Body, _terms: Terms) -> str | None:
    """Citations would break the format."""
    cites = any((block.get("citations") or {}) == {"enabled": True} for _, block in blocks_with_paths(body))
    if _format(body) is None or not cites:
        return None
    return "output_config.format: Structured outputs are incompatible with citations."


def output_format_with_prefill(body: Body, _terms: Terms) -> str | None:
    """An answer that the client began cannot be held to a format."""
    if _format(body) is None or body["messages"][-1]["role"] != "assistant" or ends_paused(body):
        return None
    return "output_config.format: Structured outputs are incompatible with message prefilling."


RULES: tuple[Rule, ...] = (
    output_format_unsupported,
    invalid_output_schema,
    unsupported_output_schema,
    output_format_with_citations,
    output_format_with_prefill,
)
