"""Which call of a history a result answers: by its id, by its name (legacy functions), or, without either, in order."""

from __future__ import annotations

from app.translate.turns import AssistantTurn

_Calls = tuple[AssistantTurn, list[str]]


class CallIndex:
    """The calls read so far. Ids and names may come again in later turns, even twice in one: the latest turn counts."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Calls] = {}
        self._by_name: dict[str, _Calls] = {}
        self._latest: AssistantTurn | None = None
        self._moved_on = False

    def add(self, turn: AssistantTurn, sent_id: str, id: str, name: str) -> None:
        """`sent_id` goes upstream for the call that the client knows as `id`."""
        self._latest = turn
        self._moved_on = False
        for calls, key in ((self._by_id, id), (self._by_name, name)):
            known = calls.get(key)
            if known and known[0] is turn:
                known[1].append(sent_id)
            else:
                calls[key] = (turn, [sent_id])

    def move_on(self) -> None:
        """The assistant speaks again: what it says now may rest on the results so far."""
        self._moved_on = True

    def with_id(self, id: str) -> tuple[AssistantTurn, str] | None:
        """(turn, id sent upstream) of the call that a result for `id` answers; None for an orphan."""
        return self._answered(self._by_id.get(id))

    def with_name(self, name: str) -> tuple[AssistantTurn, str] | None:
        return self._answered(self._by_name.get(name))

    def next_open(self) -> tuple[AssistantTurn, str] | None:
        """The first call of the latest turn that has no result yet."""
        turn = self._latest
        open_ids = [call["id"] for call in turn.calls if call["id"] not in turn.results] if turn else []
        return (turn, open_ids[0]) if turn and open_ids else None

    def _answered(self, calls: _Calls | None) -> tuple[AssistantTurn, str] | None:
        """The first call without a result. A second result replaces the first one until the assistant speaks again:
        what it says then was said about the first."""
        if calls is None:
            return None
        turn, ids = calls
        open_ids = [id for id in ids if id not in turn.results]
        if open_ids:
            return turn, open_ids[0]
        return (turn, ids[-1]) if turn is self._latest and not self._moved_on else None
