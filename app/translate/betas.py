"""Anthropic's own request fields that clients add, and the beta header that such fields need."""

from __future__ import annotations

import re
from typing import Any

from app.profiles.profile import Profile
from app.translate.checks import a_string, an_array_or_string, an_object, invalid_value
from app.translate.report import Report

Block = dict[str, Any]
EXTENSIONS = {
    "container": (),
    "mcp_servers": ("mcp-client-", "mcp-client-2025-11-20"),
    "context_management": ("context-management-", "context-management-2025-06-27"),
}
"""Field -> how the names of its betas begin, and the one to ask for if the client asked for none; `Extra inputs are not
permitted` answers the field without it."""
BETA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ASKED_BY = frozenset(["anthropic_beta", "extra_headers"])


def extensions(chat_request: Block, profile: Profile, report: Report) -> Block:
    """The extension fields to pass on; upstreams other than Anthropic do not know them."""
    sent: Block = {}
    for name in EXTENSIONS:
        value = chat_request.get(name)
        if value is None:
            continue
        if profile.anthropic_extensions:
            sent[name] = value
        else:
            report.ignore(name)
    return sent


def betas(chat_request: Block, sent: Block) -> tuple[str, ...]:
    """What `anthropic_beta` asks for, or the header of that name among `extra_headers`, and what `sent` needs.

    Raises InvalidRequest for what cannot stand in a header.
    """
    if not sent and _ASKED_BY.isdisjoint(chat_request):
        return ()
    path, wish = "anthropic_beta", chat_request.get("anthropic_beta")
    if wish is None:
        headers = an_object(chat_request.get("extra_headers") or {}, "extra_headers")
        name = next((name for name in headers if name.lower() == "anthropic-beta"), "anthropic-beta")
        path, wish = f"extra_headers.{name}", headers.get(name)
    asked = [beta for beta in map(str.strip, _items(wish, path)) if beta]
    for beta in asked:
        if not BETA_NAME.fullmatch(beta):
            raise invalid_value(path, "names of betas, such as 'prompt-caching-2024-07-31'", beta)
    for name in sent:
        start, needed = EXTENSIONS[name] or ("", "")
        if needed and not any(beta.startswith(start) for beta in asked):
            asked.append(needed)
    return tuple(asked)


def _items(wish: Any, path: str) -> list[str]:
    if wish is None or isinstance(wish, str):
        return (wish or "").split(",")
    return [a_string(item, f"{path}[{index}]") for index, item in enumerate(an_array_or_string(wish, path))]
