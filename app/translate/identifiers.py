"""Tool names and tool call ids that the Messages API takes, and the way back to the client's own."""

from __future__ import annotations

import hashlib
import re

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


def digest(*parts: str) -> str:
    """A short, stable fingerprint: the same history must always translate to the same bytes."""
    return hashlib.sha1("\0".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


class ToolNames:
    """Client names <-> names matching `^[a-zA-Z0-9_-]{1,length}$`, without collisions.

    A legal name stays; any other gets a fingerprint of itself, so its translation does not depend on its neighbours.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._sent: dict[str, str] = {}
        self._restored: dict[str, str] = {}

    def sent(self, name: str) -> str:
        """The name to send upstream for the client's `name`."""
        if name not in self._sent:
            candidate = self._legal(name, name)
            while candidate in self._restored:
                candidate = self._legal(name, candidate + name)
            self._sent[name] = candidate
            self._restored[candidate] = name
        return self._sent[name]

    def restored(self, name: str) -> str:
        """The client's name for the upstream's `name`; a name that was never sent comes back as it is."""
        return self._restored.get(name, name)

    def _legal(self, name: str, seed: str) -> str:
        cleaned = _ILLEGAL.sub("_", name)
        if seed == name == cleaned and 0 < len(name) <= self._length:
            return name
        return f"{cleaned[: self._length - 9]}_{digest(seed)[:8]}"


class ToolIds:
    """Ids for the tool calls of a history: legal, and unique although some clients count from call_0 in every turn."""

    def __init__(self, verbatim: bool) -> None:
        self._verbatim = verbatim
        self._used: set[str] = set()
        self._next: dict[str, int] = {}
        """The next number for an id that came before."""

    def sent(self, id: str, *call: str) -> str:
        """The id to send for a call whose id the client gives as `id`; `call` (position, name) stands in for none."""
        if not id:
            candidate = f"toolu_{digest(*call)[:24]}"
        elif self._verbatim or not _ILLEGAL.search(id):
            candidate = id
        else:
            candidate = f"{_ILLEGAL.sub('_', id)[:64]}_{digest(id)[:8]}"
        unique = candidate
        while unique in self._used:
            occurrence = self._next.get(candidate, 2)
            self._next[candidate] = occurrence + 1
            unique = f"{candidate}_{occurrence}"
        self._used.add(unique)
        return unique
