"""`web_search_options` -> Anthropic's web search tool."""

from __future__ import annotations

from typing import Any

from app.profiles.profile import Profile
from app.translate.checks import an_object, invalid_value, optional_string
from app.translate.report import Report
from app.translate.tools import Toolbox

Block = dict[str, Any]
_NAME = "web_search"
_USES = {"low": 1, "medium": 5, "high": 10}
"""How many searches stand for a context size."""
_PLACE = ("city", "region", "country", "timezone")


def web_search_tool(chat_request: Block, box: Toolbox, profile: Profile, report: Report) -> Block | None:
    """The tool that `web_search_options` asks for; None (reported) where there is none, or its name is taken."""
    if chat_request.get("web_search_options") is None:
        return None
    path = "web_search_options"
    options = an_object(chat_request[path], path)
    size = optional_string(options, "search_context_size", path) or "medium"
    if size not in _USES:
        raise invalid_value(f"{path}.search_context_size", "'low', 'medium', and 'high'", size)
    tool: Block = {"type": "web_search_20250305", "name": _NAME, "max_uses": _USES[size]}
    if place := _place(options, path):
        tool["user_location"] = {"type": "approximate"} | place
    if not profile.anthropic_extensions or _NAME in box.definitions:
        report.ignore(path)
        return None
    return tool


def _place(options: Block, path: str) -> Block:
    if options.get("user_location") is None:
        return {}
    path = f"{path}.user_location"
    location = an_object(options["user_location"], path)
    if location.get("approximate") is not None:
        path = f"{path}.approximate"
        location = an_object(location["approximate"], path)
    return {name: location[name] for name in _PLACE if optional_string(location, name, path)}
