"""`tool_choice` and the legacy `function_call`: what the client demands, and what this model can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.checks import an_array, an_object, invalid_value, missing, optional_boolean, optional_string
from app.translate.report import Report
from app.translate.tools import Toolbox, add_stubs, named

Block = dict[str, Any]
_MODES = {"auto": "auto", "none": "none", "required": "any", "any": "any"}


@dataclass(frozen=True)
class ToolChoice:
    """What the client demands: `mode` is auto, none, any or tool (then `name`, as sent upstream)."""

    mode: str
    name: str | None = None
    allowed: tuple[str, ...] | None = None
    parallel: bool = True

    @property
    def forced(self) -> bool:
        return self.mode in {"any", "tool"}


def tool_choice(chat_request: Block, box: Toolbox, report: Report) -> ToolChoice | None:
    """The client's choice; None if it made none, or (reported) if there is no tool to choose.

    Raises InvalidRequest for an unknown form, or a tool that is not offered.
    """
    path = "tool_choice" if chat_request.get("tool_choice") is not None else "function_call"
    choice = chat_request.get(path)
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _MODES:
            raise invalid_value(path, "'none', 'auto', and 'required'", choice)
        read = ToolChoice(_MODES[choice])
    else:
        read = _object_choice(an_object(choice, path), box, path)
    if not box.definitions:
        if read.mode not in {"auto", "none"}:
            report.ignore(path)
        return None
    return read


def _object_choice(choice: Block, box: Toolbox, path: str) -> ToolChoice:
    """OpenAI's objects, and Anthropic's own, which some clients send."""
    kind = optional_string(choice, "type", path)
    if kind is None and (path == "function_call" or "function" in choice):
        kind = "function"
    parallel = optional_boolean(choice, "disable_parallel_tool_use", path) is not True
    if kind in {"auto", "none", "any"}:
        return ToolChoice(kind, parallel=parallel)
    if kind == "allowed_tools":
        inner = choice.get("allowed_tools", choice)
        return _allowed_tools(an_object(inner, f"{path}.allowed_tools"), box, f"{path}.allowed_tools")
    if kind in {"function", "custom", "tool"}:
        inner = choice.get(kind, choice)
        return ToolChoice("tool", _offered(inner, box, path if inner is choice else f"{path}.{kind}"), None, parallel)
    if kind is None:
        raise missing(f"{path}.type")
    raise invalid_value(f"{path}.type", "'function', 'custom', and 'allowed_tools'", kind)


def _allowed_tools(choice: Block, box: Toolbox, path: str) -> ToolChoice:
    mode = optional_string(choice, "mode", path) or "auto"
    if mode not in {"auto", "required"}:
        raise invalid_value(f"{path}.mode", "'auto' and 'required'", mode)
    if choice.get("tools") is None:
        raise missing(f"{path}.tools")
    allowed = []
    for index, tool in enumerate(an_array(choice["tools"], f"{path}.tools")):
        here = f"{path}.tools[{index}]"
        tool = an_object(tool, here)
        kind = optional_string(tool, "type", here) or "function"
        inner, where = tool.get(kind, tool), f"{here}.{kind}" if kind in tool else here
        if box.lacks(named(inner, where)[1]):
            continue
        allowed.append(_offered(inner, box, where))
    return ToolChoice(_MODES[mode], allowed=tuple(allowed))


def _offered(tool: Any, box: Toolbox, path: str) -> str:
    _, name = named(tool, path)
    sent_name = box.names.sent(name)
    if sent_name not in box.definitions and box.definitions:
        reason = "one that this upstream knows" if box.lacks(name) else "among 'tools'"
        raise InvalidRequest(
            f"Invalid value for '{path}.name': the tool '{name}' is not {reason}.",
            param=f"{path}.name",
            code="invalid_value",
        )
    return sent_name


def without_disallowed(box: Toolbox, choice: ToolChoice | None) -> ToolChoice | None:
    """Take the tools out of `box` that `allowed_tools` leaves out; nothing to choose from means no tools."""
    if choice is None or choice.allowed is None:
        return choice
    allowed = frozenset(choice.allowed)
    for name in [name for name in box.definitions if name not in allowed]:
        del box.definitions[name]
    return choice if box.definitions else None


def possible_choice(
    choice: ToolChoice | None, box: Toolbox, called: list[str], profile: Profile, report: Report
) -> tuple[ToolChoice | None, str | None]:
    """The choice that this model takes, and an instruction that stands in for one it refuses.

    Tools are added for the history's calls (`called`), or taken out.
    """
    if called and not box.definitions:
        add_stubs(box, called)
        choice = ToolChoice("none")
    hint = None
    if choice and choice.forced and not profile.forced_tool_choice:
        report.adjust("tool_choice", "auto and an instruction")
        hint = f"Answer by calling the tool {choice.name}." if choice.name else "Answer by calling one of the tools."
        choice = ToolChoice("auto", parallel=choice.parallel)
    if choice and choice.mode == "none" and not profile.tool_choice_none:
        if called:
            report.adjust("tool_choice", "auto")
        else:
            box.definitions.clear()
        choice = None
    return choice, hint
