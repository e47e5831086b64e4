"""What one request learns from its upstream's refusal, and when that may be kept."""

from __future__ import annotations

from dataclasses import replace

from app.errors import UpstreamRefusal
from app.lessons import Lesson, lesson
from app.services import Services

LEARNED_FROM = frozenset({400, 422})


class Learning:
    """At most one lesson; `profile` is what the model takes as far as is known.

    A lesson counts only once the upstream got past that refusal: its sentence may quote what a client wrote.
    """

    def __init__(self, services: Services, model: str) -> None:
        self._services = services
        self._model = model
        self._lesson: Lesson | None = None
        self._sentence = ""
        self.profile = services.profile(model)

    @property
    def names(self) -> tuple[str, ...]:
        """What is left out for the upstream's sake, by this request too, for a response header."""
        known = self._services.lessons.names(self._services.upstream.host, self._model)
        learned = self._lesson
        return known if learned is None or learned.name in known else (*known, learned.name)

    def learns_from(self, refusal: UpstreamRefusal) -> bool:
        """Whether `refusal` teaches something, so that the request may be sent once more, by the changed `profile`."""
        if self._lesson is not None or refusal.status not in LEARNED_FROM:
            return False
        if not self._services.settings.learn_from_refusals:
            return False
        self._lesson = lesson(refusal.message, self.profile)
        if self._lesson is None:
            return False
        self._sentence = refusal.message
        self.profile = replace(self.profile, **self._lesson.changes)
        return True

    def prove(self, refusal: UpstreamRefusal | None) -> None:
        """Keep what was learned, if anything was, unless the upstream answers the retry with the same refusal."""
        if self._lesson is None or (refusal is not None and refusal.message == self._sentence):
            return
        services = self._services
        services.lessons.remember(self._lesson, services.upstream.host, self._model)
        services.metrics.learned(self._lesson.name)
