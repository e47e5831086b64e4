"""What a test remembers by tool call id, as the translator takes it: by index of the message."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.translate.told_calls import told_calls


def by_message(messages: Sequence[Any], by_id: Mapping[str, Any]) -> dict[int, Any]:
    """The blocks of each message's first known call."""
    found: dict[int, Any] = {}
    for index, message in enumerate(messages if by_id else ()):
        known = [by_id[call.id] for call in told_calls(message) if call.id in by_id]
        found |= {index: known[0]} if known else {}
    return found
