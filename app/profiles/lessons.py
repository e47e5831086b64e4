"""What an upstream taught us: a 400 that names a refused feature -> the profile without it, remembered per model.

The phrases are those of the real API and of the compatible ones, as observed; a 400 has no effect, so asking once more
without the feature is safe.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace

from app.profiles.profile import Profile
from app.profiles.refusals import REFUSALS, Changes

_logger = logging.getLogger("anthropic_proxy.lessons")


@dataclass(frozen=True)
class Lesson:
    """`changes` to the profile; `lasting` ones hold for the model, the others for one conversation only."""

    name: str
    changes: Changes
    lasting: bool = True


_COMPILED = tuple((name, re.compile(phrase, re.IGNORECASE), change, last) for name, phrase, change, last in REFUSALS)


def lesson(message: str, profile: Profile) -> Lesson | None:
    """What a 400's `message` teaches beyond `profile`, or None."""
    if "anthropic-beta" in message:
        # It quotes the header, which the profile does not steer and the client wrote.
        return None
    for name, phrase, changes_of, lasting in _COMPILED:
        match = phrase.search(message)
        if match:
            changes = changes_of(match, profile)
            if replace(profile, **changes) != profile:
                return Lesson(name.format(*match.groups()[:1]) if "{0}" in name else name, changes, lasting)
    return None


class Lessons:
    """The lasting lessons of this process, by upstream and model; at most `capacity` models, the oldest forgotten."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._known: dict[tuple[str, str], dict[str, Lesson]] = {}

    def applied(self, profile: Profile, host: str, model: str) -> Profile:
        """`profile` with everything learned of `model`."""
        for known in self._known.get((host, model), {}).values():
            profile = replace(profile, **known.changes)
        return profile

    def names(self, host: str, model: str) -> tuple[str, ...]:
        """What was learned to be refused, for a response header."""
        return tuple(self._known.get((host, model), ()))

    def remember(self, learned: Lesson, host: str, model: str) -> None:
        """Keep a lasting lesson and log it once."""
        if not learned.lasting:
            return
        if (host, model) not in self._known and len(self._known) >= self._capacity:
            self._known.pop(next(iter(self._known)))
        known = self._known.setdefault((host, model), {})
        if known.get(learned.name) == learned:
            # Another request learned it at the same time.
            return
        known[learned.name] = learned
        _logger.warning("learned that %r at %s refuses %s; it is left out from now on", model, host, learned.name)
