"""Which of the two APIs a request speaks, so that it is answered in the same."""

from __future__ import annotations

from collections.abc import Container

_ANTHROPIC_HEADERS = ("anthropic-version", "anthropic-beta", "x-api-key")
_ANTHROPIC_RESOURCES = {"messages", "complete"}
_OPENAI_RESOURCES = {"chat", "completions", "responses", "embeddings", "images", "audio", "moderations"}


def speaks_anthropic(path: str, headers: Container[str]) -> bool:
    """By the resource in the path; where both APIs have it, or neither, by the headers that only one of them knows."""
    resource = next((part for part in path.split("/") if part not in ("", "v1")), "")
    if resource in _ANTHROPIC_RESOURCES | _OPENAI_RESOURCES:
        return resource in _ANTHROPIC_RESOURCES
    return any(name in headers for name in _ANTHROPIC_HEADERS)
