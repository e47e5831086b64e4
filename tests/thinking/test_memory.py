"""app/thinking/memory.py: the bounds of what is kept, exactly at them and one beyond."""

from typing import Any

import orjson
import pytest

from app.thinking import memory
from app.thinking.memory import MAX_AGE_SECONDS, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_TOTAL_BYTES, MemoryStore


def blocks_of(size: int) -> list[dict[str, Any]]:
    """Thinking blocks that take `size` bytes as JSON."""
    empty = len(orjson.dumps([{"thinking": ""}]))
    return [{"thinking": "x" * (size - empty)}]


def known(store: MemoryStore, *ids: str, owner: str = "me") -> list[str]:
    return list(store.recall(owner, ids))


def test_what_the_operations_page_and_a_container_count_on() -> None:
    assert MAX_AGE_SECONDS == 21_600, "six hours"
    assert MAX_TOTAL_BYTES == 2**26, "what Docker gives /dev/shm"
    assert (MAX_ENTRIES, MAX_ENTRY_BYTES) == (20_000, 2**20)


def test_total_size() -> None:
    store = MemoryStore(max_bytes=300)
    store.remember("me", {"a": blocks_of(100), "b": blocks_of(100), "c": blocks_of(100)})
    assert known(store, "a", "b", "c") == ["a", "b", "c"]
    store.remember("me", {"d": blocks_of(20)})
    assert known(store, "a", "b", "c", "d") == ["b", "c", "d"]


def test_what_is_kept_anew_takes_its_room_once_and_is_the_youngest() -> None:
    store = MemoryStore(max_bytes=300)
    for _ in range(5):
        store.remember("me", {"a": blocks_of(100)})
    store.remember("me", {"b": blocks_of(100), "c": blocks_of(100)})
    assert known(store, "a", "b", "c") == ["a", "b", "c"]
    store.remember("me", {"a": blocks_of(50)})
    store.remember("me", {"d": blocks_of(100)})
    assert known(store, "a", "b", "c", "d") == ["a", "c", "d"]


def test_the_size_of_one_entry() -> None:
    store = MemoryStore()
    store.remember("me", {"fits": blocks_of(MAX_ENTRY_BYTES), "does not": blocks_of(MAX_ENTRY_BYTES + 1)})
    assert known(store, "fits", "does not") == ["fits"]
    store.remember("me", {"fits": blocks_of(MAX_ENTRY_BYTES + 1)})
    assert known(store, "fits") == [], "what is no longer so must not come back"


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    store = MemoryStore(max_age=10)
    store.remember("me", {"a": blocks_of(50)})
    now = 1010.0
    assert known(store, "a") == ["a"]
    now = 1010.1
    assert known(store, "a") == []


def test_owners_do_not_meet_and_what_is_no_json_is_not_kept() -> None:
    store = MemoryStore()
    store.remember("me", {"a": blocks_of(50), "b": [{"thinking": "\ud800"}]})
    assert known(store, "a", owner="you") == []
    assert known(store, "a", "b") == ["a"]
