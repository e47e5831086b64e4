"""What one process of the proxy holds: made once, handed to every request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.metrics.metrics import Metrics
from app.profiles.lessons import Lessons
from app.profiles.profile import Profile, overridden, profile_for
from app.settings import Settings
from app.thinking.store import ThinkingStore
from app.transport.patience import Client
from app.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Services:
    """Settings and the long-lived objects built of them."""

    settings: Settings
    upstream: Upstream
    lessons: Lessons
    thinking: ThinkingStore
    metrics: Metrics

    def profile(self, model: str) -> Profile:
        """What `model` takes: built in, then learned, then the operator's word."""
        profile = profile_for(self.upstream.host, model)
        profile = self.lessons.applied(profile, self.upstream.host, model)
        overrides = self.settings.profile_overrides_json
        return overridden(profile, model, overrides) if overrides else profile


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: headers by lower-case name, the keys that go upstream for it, and its connection."""

    headers: Mapping[str, str] = field(repr=False)
    credentials: dict[str, str] = field(repr=False)
    client: Client
    request_id: str
    identity: str = field(default="", repr=False)
    """The key it showed, else its address: tells clients apart that share the server's key."""
