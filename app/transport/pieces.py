"""Large bodies cut into writes, so that each of them has its own time."""

from __future__ import annotations

from collections.abc import Iterator

PIECE_BYTES = 65_536
"""CLIENT_SEND_TIMEOUT bounds one write: of a large body in one write it would cut whoever reads slowly but steadily."""


def pieces(body: bytes) -> Iterator[bytes]:
    """`body` in writes of at most PIECE_BYTES."""
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
