"""What the way back must know of a chat request, so that the answer comes in the form that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.translate.identifiers import ToolNames
from app.translate.tools import ToolForm


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The forms of its tools, by the names sent upstream, and how JSON and usage were asked for."""

    model: str
    names: ToolNames = field(default_factory=lambda: ToolNames(64))
    tools: Mapping[str, ToolForm] = field(default_factory=dict)
    legacy: bool = False
    json_answer: str | None = None
    """`tool`: the answer is a tool's input; `text`: it stands somewhere in the text."""
    include_usage: bool = False

    def tool(self, sent_name: str) -> ToolForm:
        """The form of a tool by the name the upstream uses; one it made up comes back as a plain function."""
        return self.tools.get(sent_name) or ToolForm(self.names.restored(sent_name))
