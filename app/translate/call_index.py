"""Which call of a history a result answers: by its id, by its name (legacy functions), or, without either, in order."""

from __future__ import annotations

from app.translate.turns import AssistantTurn


class _Calls:
    """Calls of one turn, by the ids sent upstream. What has a result keeps it, so the first open call only moves on."""

    def __init__(self, turn: AssistantTurn) -> None:
        self.turn = turn
        self.ids: list[str] = []
        self._answered = 0

    def first_open(self) -> str | None:
        while self._answered < len(self.ids) and self.ids[self._answered] in self.turn.results:
            self._answered += 1
        return self.ids[self._answered] if self._answered < len(self.ids) else None


class CallIndex:
    """The calls read so far. Ids and names may come again in later turns, even twice in one: the latest turn counts."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Calls] = {}
        self._by_name: dict[str, _Calls] = {}
        self._without_id: dict[str, _Calls] = {}
        """By name, those that the client gives no id."""
        self._latest: _Calls | None = None
        self._moved_on = False

    def add(self, turn: AssistantTurn, sent_id: str, id: str, name: str) -> None:
        """`sent_id` goes upstream for the call that the client knows as `id`."""
        if self._latest is None or self._latest.turn is not turn:
            self._latest = _Calls(turn)
        self._latest.ids.append(sent_id)
        self._moved_on = False
        named = () if id else ((self._without_id, name),)
        for calls, key in ((self._by_id, id), (self._by_name, name), *named):
            if key not in calls or calls[key].turn is not turn:
                calls[key] = _Calls(turn)
            calls[key].ids.append(sent_id)

    def move_on(self) -> None:
        """The assistant speaks again: what it says now may rest on the results so far."""
        self._moved_on = True

    def with_id(self, id: str) -> tuple[AssistantTurn, str] | None:
        """(turn, id sent upstream) of the call that a result for `id` answers; None for an orphan.

        Tool runners take the name for the id where an answer brought none.
        """
        return self._answered(self._by_id.get(id)) or self._answered(self._without_id.get(id))

    def with_name(self, name: str) -> tuple[AssistantTurn, str] | None:
        """The same for a result that names its tool only. A call without an id comes first, for its neighbours' results
        may still give theirs; and only of such a call does it replace a result."""
        without_id = self._without_id.get(name)
        return self._first_open(without_id, self._by_name.get(name)) or self._answered(without_id)

    def next_open(self) -> tuple[AssistantTurn, str] | None:
        """The first call of the latest turn that has no result yet, one without an id before the others."""
        return self._first_open(self._by_id.get(""), self._latest)

    def _first_open(self, preferred: _Calls | None, latest: _Calls | None) -> tuple[AssistantTurn, str] | None:
        for calls in (preferred, latest):
            if calls and latest and calls.turn is latest.turn and (open_id := calls.first_open()) is not None:
                return calls.turn, open_id
        return None

    def _answered(self, calls: _Calls | None) -> tuple[AssistantTurn, str] | None:
        """The first call without a result. A second result replaces the first one until the assistant speaks again:
        what it says then was said about the first."""
        if calls is None:
            return None
        open_id = calls.first_open()
        if open_id is not None:
            return calls.turn, open_id
        replaceable = self._latest and self._latest.turn is calls.turn and not self._moved_on
        return (calls.turn, calls.ids[-1]) if replaceable else None
