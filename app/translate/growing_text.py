"""Texts that come in pieces of a few characters each."""

from __future__ import annotations

_FEW = 16
"""Pieces that are not worth joining."""


class GrowingText(list[str]):
    """The pieces of one text, in order. A piece by itself takes 60 bytes beside its characters."""

    __slots__ = ("_settled",)

    def __init__(self) -> None:
        super().__init__()
        self._settled = 0

    def settle(self) -> None:
        """Join what came since the last time, if that was much; what was joined before is not copied again."""
        settled = self._settled
        if len(self) - settled > _FEW:
            self[settled:] = ["".join(self[settled:])]
            self._settled = settled + 1
