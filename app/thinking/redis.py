"""Thinking blocks in Redis, for several machines; imported only when THINKING_STORE is a Redis URL.

Entries leave after their age (SET … EX). Redis itself bounds their number: give it a `maxmemory` and the policy
`volatile-ttl` or `allkeys-lru`.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.thinking.memory import MAX_AGE_SECONDS, MAX_ENTRY_BYTES, Blocks

PREFIX = "anthropic-proxy:thinking"
TIMEOUT_SECONDS = 0.5
RECOVERY_SECONDS = 10.0
"""How long a Redis that failed is left alone: every request would wait for it."""
_logger = logging.getLogger("anthropic_proxy.thinking_store")


class RedisStore:
    """The store at a redis://, rediss:// or unix:// URL, connected to at first use."""

    def __init__(self, url: str, max_age: float = MAX_AGE_SECONDS, recovery: float = RECOVERY_SECONDS) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # The one that every Redis, fork and proxy in front of one speaks.
            protocol=2,
        )
        weakref.finalize(self, self._redis.close)
        self._max_age = max(1, int(max_age))
        self._recovery = recovery
        self._ask_at = float("-inf")
        self._failing = False

    def remember(self, owner: str, blocks_by_call: Mapping[str, Blocks]) -> None:
        """Keep the blocks of each call."""

        def store() -> None:
            with self._redis.pipeline(transaction=False) as pipeline:
                for id, blocks in blocks_by_call.items():
                    value = orjson.dumps(blocks)
                    if len(value) <= MAX_ENTRY_BYTES:
                        pipeline.set(_key(owner, id), value, ex=self._max_age)
                pipeline.execute()

        self._forgiving(store)

    def recall(self, owner: str, call_ids: Sequence[str]) -> dict[str, Blocks]:
        """The blocks of those calls that are still known."""
        found: dict[str, Blocks] = {}

        def load() -> None:
            values: Any = self._redis.mget([_key(owner, id) for id in call_ids])
            found.update((id, orjson.loads(value)) for id, value in zip(call_ids, values, strict=True) if value)

        if call_ids:
            self._forgiving(load)
        return found

    def _forgiving(self, task: Callable[[], None]) -> None:
        """Run `task`; of failures in a row only the first is told, and after each Redis is left alone for a while."""
        if time.monotonic() < self._ask_at:
            return
        try:
            task()
        except (RedisError, OSError, ValueError, TypeError) as error:
            self._ask_at = time.monotonic() + self._recovery
            if not self._failing:
                _logger.warning(
                    "the store of thinking blocks failed, requests go on without it: %s", type(error).__name__
                )
            self._failing = True
        else:
            self._failing = False


def _key(owner: str, call_id: str) -> str:
    return f"{PREFIX}:{owner}:{call_id}"
