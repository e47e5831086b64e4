"""The fields of a chat message that mean something; what else a client writes there is reported."""

from __future__ import annotations

from typing import Any

from app.translate.report import Report
from app.translate.thinking_forms import THINKING_FIELDS

_FIELDS = frozenset(
    [
        *("role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio"),
        *THINKING_FIELDS,
        *("cache_control", "prompt_cache_breakpoint"),
        # Said in other words elsewhere: pages that the text cites, the content as an object (openai's `parse()`).
        *("annotations", "parsed"),
        # What a last assistant message is anyway: the beginning of the answer (DeepSeek's word, and Kimi's).
        *("prefix", "partial"),
    ]
)


def ignore_unknown(message: dict[str, Any], report: Report) -> None:
    """Report what `message` holds besides: pictures of a model that draws, say, or when it was written."""
    if _FIELDS.issuperset(message):
        return
    for name, value in message.items():
        if name not in _FIELDS and value not in (None, False, "", [], {}):
            report.ignore(f"messages[].{name}")
