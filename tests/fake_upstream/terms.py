"""The terms under which one request is judged: the model's profile, the API version and the betas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .profiles import Enforced, ModelProfile

Body = dict[str, Any]
Block = dict[str, Any]

SAMPLING_FREE_VERSION = "2026-10-21"
VERSIONS = ("2023-01-01", "2023-06-01", SAMPLING_FREE_VERSION)


@dataclass(frozen=True)
class Terms:
    """`betas` are the values of the anthropic-beta header, `counting` is true on count_tokens."""

    profile: ModelProfile
    betas: frozenset[str] = frozenset()
    version: str = "2023-06-01"
    counting: bool = False

    @classmethod
    def of(cls, profile: ModelProfile, headers: Mapping[str, str], *, counting: bool = False) -> "Terms":
        """The terms that the request headers ask for; header names in any case."""
        by_name = {name.lower(): value for name, value in headers.items()}
        betas = frozenset(b.strip() for b in by_name.get("anthropic-beta", "").split(",") if b.strip())
        return cls(profile, betas, by_name.get("anthropic-version", "2023-06-01"), counting)

    def enforces(self, group: Enforced) -> bool:
        """Whether the upstream enforces all rules of the group."""
        return group in self.profile.enforced

    def has_beta(self, start: str) -> bool:
        """Whether a beta whose name begins with `start` was asked for."""
        return any(beta.startswith(start) for beta in self.betas)


Rule = Callable[[Body, Terms], str | None]
"""The message of the first violation in a body of legal shape, or None."""
