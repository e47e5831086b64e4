"""The one JSON object in a text that may have prose or a code fence around it, found while the text streams."""

from __future__ import annotations

import re

_STRUCTURE = re.compile(r'[{}"\\]')


class JsonText:
    """Lets through the first `{…}`, piece by piece; `rest()` gives the text back if there was none."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._done = False
        self._before: list[str] = []

    def feed(self, piece: str) -> str:
        """The part of `piece` that belongs to the object."""
        if self._done:
            return ""
        start = 0
        if not self._depth:
            start = piece.find("{")
            if start < 0:
                self._before.append(piece)
                return ""
            self._before.clear()
        end = self._end(piece, start)
        return piece[start:end]

    def rest(self) -> str:
        """What was held back because no object began."""
        held = "".join(self._before)
        self._before.clear()
        return held

    def _end(self, piece: str, start: int) -> int:
        """Where the object ends in `piece`, or its length."""
        position = start
        if self._escaped and piece:
            position += 1
            self._escaped = False
        while match := _STRUCTURE.search(piece, position):
            position = match.end()
            sign = match.group()
            if self._in_string:
                if sign == "\\":
                    self._escaped = position == len(piece)
                    position += 1
                elif sign == '"':
                    self._in_string = False
            elif sign == '"':
                self._in_string = True
            elif sign == "{":
                self._depth += 1
            elif sign == "}":
                self._depth -= 1
                if not self._depth:
                    self._done = True
                    return position
        return len(piece)
