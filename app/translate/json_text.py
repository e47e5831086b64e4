"""The one JSON object in a text that may have prose or a code fence around it, found while the text streams."""

from __future__ import annotations

import re

_DEEPER = {"{": 1, "}": -1, '"': 0}
_STRUCTURE = re.compile(r'[{}"]')
_QUOTE_OR_ESCAPE = re.compile(r'["\\]')
_BEGINNING = re.compile(r'\{(?=[ \t\r\n]*["}])')
_UNDECIDED = re.compile(r"\{[ \t\r\n]{0,200}\Z")
"""A brace of which the next piece will tell whether an object begins there."""


class JsonText:
    """Lets through the first `{…}`, piece by piece; `rest()` gives the text back if there was none.

    A brace counts as the beginning of an object only before a key or the object's end, so `{name}` in prose does not.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._done = False
        self._before: list[str] = []

    def feed(self, piece: str) -> str:
        """The part of `piece` that belongs to the object, with what was held back of it."""
        if self._done:
            return ""
        start = 0
        if not self._depth:
            piece = self._undecided() + piece
            match = _BEGINNING.search(piece)
            if match is None:
                self._before.append(piece)
                return ""
            self._before.clear()
            start = match.start()
        return piece[start : self._end(piece, start)]

    def rest(self) -> str:
        """What was held back because no object began."""
        held = "".join(self._before)
        self._before.clear()
        return held

    def _undecided(self) -> str:
        """The end of the last piece, from a brace on that may still begin an object."""
        match = _UNDECIDED.search(self._before[-1]) if self._before else None
        if match is None:
            return ""
        self._before[-1] = self._before[-1][: match.start()]
        return match.group()

    def _end(self, piece: str, start: int) -> int:
        """Where the object ends in `piece`, or its length."""
        position = start
        while position < len(piece):
            if self._in_string:
                position = self._string_end(piece, position)
            elif match := _STRUCTURE.search(piece, position):
                position = match.end()
                self._in_string = match.group() == '"'
                self._depth += _DEEPER[match.group()]
                if not self._depth:
                    self._done = True
                    return position
            else:
                break
        return len(piece)

    def _string_end(self, piece: str, position: int) -> int:
        """Behind the quote that ends the string, or the length of `piece`."""
        if self._escaped:
            self._escaped = False
            position += 1
        while match := _QUOTE_OR_ESCAPE.search(piece, position):
            position = match.end()
            if match.group() == '"':
                self._in_string = False
                return position
            self._escaped = position == len(piece)
            position += 1
        return len(piece)
