"""Who the end user is, told to the upstream as an opaque `metadata.user_id`."""

from __future__ import annotations

import re
from typing import Any

from app.translate.checks import optional_string
from app.translate.content import is_blank
from app.translate.identifiers import digest
from app.translate.report import Report

Block = dict[str, Any]
_MAX_LENGTH = 512
"""`metadata.user_id: String should have at most 512 characters` (observed pattern)."""
_PERSONAL = re.compile(r"[^\s@]@[^\s@]|^\+?[\d\s().-]{7,}$")
"""An e-mail address or phone number, which Anthropic asks not to be sent."""
_NAMED_BY = frozenset(["user", "safety_identifier", "user_id", "metadata"])


def end_user_id(chat_request: Block, report: Report) -> str | None:
    """The first of the fields that name the user; what looks personal or is too long goes as a fingerprint."""
    if _NAMED_BY.isdisjoint(chat_request):
        return None
    metadata = chat_request.get("metadata") or {}
    if metadata.keys() - {"user_id"}:
        report.ignore("metadata")
    given = {
        **{name: chat_request.get(name) for name in ("user", "safety_identifier", "user_id")},
        "metadata.user_id": optional_string(metadata, "user_id", "metadata"),
    }
    named = [(path, id) for path, id in given.items() if id is not None and not is_blank(id)]
    if not named:
        return None
    (path, id), *others = named
    for other, its_id in others:
        if its_id != id:
            report.ignore(other)
    if len(id) <= _MAX_LENGTH and not _PERSONAL.search(id):
        return id
    report.adjust(path, "a fingerprint")
    return digest(id)
