"""Values that a user's text offers for the arguments of a tool: names of things, numbers, choices."""

import re
from typing import Any

_NAME = r"[A-ZÀ-ÖØ-Þ][\w'-]*"
_SUBJECT = re.compile(
    r"(?:\b(?i:in|for|at|of|about|from|to|near|on|and|or|with)\s+|,\s*)"
    rf"(?:\"([^\"\n]{{1,200}})\"|({_NAME}(?:[ ]{_NAME})*(?:,[ ][A-Z]{{2}}\b)?))"
)
_LOWER_CASE_SUBJECT = re.compile(r"\b(?:in|for|of|about)\s+(?!(?:the|an?|my|me|this|it)\b)(\w+)")
_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”")
_NUMBER = re.compile(r"(?<![\w.-])-?\d{1,15}(?:\.\d{1,15})?(?![\w-])")
_NOT_A_SUBJECT = ("I", "I'm", "I'd", "I'll")


def subjects(text: str, excluded: frozenset[str] = frozenset()) -> list[str]:
    """What the text is about: "weather in Paris and for New York" -> ["Paris", "New York"].

    Names after a preposition, "and" or a comma; failing these what is in quotes, then a lower-case word.
    """
    named = [quoted or name for quoted, name in _SUBJECT.findall(text)]
    found = [name for name in named if name not in excluded and name not in _NOT_A_SUBJECT]
    found = found or [straight or curly for straight, curly in _QUOTED.findall(text)]
    found = found or [word for word in _LOWER_CASE_SUBJECT.findall(text)[-1:] if word not in excluded]
    return list(dict.fromkeys(found))


class TextValues:
    """The values of one text, each handed out once, in the order of the text."""

    def __init__(self, text: str, text_subjects: list[str]) -> None:
        self.text = text
        self._subjects = list(text_subjects)
        self._numbers = [float(number) for number in _NUMBER.findall(text)]

    def next_subject(self) -> str | None:
        return self._subjects.pop(0) if self._subjects else None

    def remaining_subjects(self) -> int:
        return len(self._subjects)

    def next_number(self) -> float | None:
        return self._numbers.pop(0) if self._numbers else None

    def choice(self, options: list[Any]) -> Any:
        """The first option that the text mentions, else the first."""
        lowered = self.text.lower()
        mentioned = (option for option in options if isinstance(option, str) and option and option.lower() in lowered)
        return next(mentioned, options[0])
