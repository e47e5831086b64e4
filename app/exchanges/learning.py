"""What one request learns from its upstream's refusal, and when that may be kept."""

from __future__ import annotations

from dataclasses import replace

from app.errors import UpstreamRefusal
from app.profiles.lessons import Lesson, lesson
from app.services import Services

LEARNED_FROM = frozenset({400, 422})


class Learning:
    """At most one lesson; `profile` is what the model takes as far as is known.

    A lesson counts only once the upstream got past that refusal: its sentence may quote what a client wrote.
    """

    def __init__(self, services: Services, model: str) -> None:
        self._services = services
        self._model = model
        self._over = False
        self._refused = ""
        self._unproved: Lesson | None = None
        self._learned: tuple[str, ...] = ()
        self.profile = services.profile(model)

    @property
    def names(self) -> tuple[str, ...]:
        """What is left out for the upstream's sake, by this request too, for a response header."""
        known = self._services.lessons.names(self._services.upstream.host, self._model)
        return tuple(dict.fromkeys(known + self._learned)) if self._learned else known

    def learns_from(self, refusal: UpstreamRefusal) -> bool:
        """Whether `refusal` teaches something, so that the request may be sent once more, by the changed `profile`."""
        if self._over or refusal.status not in LEARNED_FROM or not self._services.settings.learn_from_refusals:
            return False
        self._over = True
        learned = lesson(refusal.message, self.profile)
        if learned is None:
            return False
        self._unproved, self._refused = learned, refusal.message
        self._learned = (learned.name,)
        self.profile = replace(self.profile, **learned.changes)
        return True

    def answered(self, refusal: UpstreamRefusal | None) -> None:
        """Note what the upstream said to a request, None if it took it; from then on nothing is learned.

        What was learned is kept, unless the retry meets the same refusal.
        """
        self._over = self._over or refusal is None
        learned, self._unproved = self._unproved, None
        if learned is None or (refusal is not None and refusal.message == self._refused):
            return
        self._services.lessons.remember(learned, self._services.upstream.host, self._model)
        self._services.metrics.learned(learned.name)
