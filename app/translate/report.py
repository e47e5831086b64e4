"""What a translation left out or changed: nothing that cannot be mapped is lost silently."""

from __future__ import annotations

from app.errors import InvalidRequest


class Report:
    """Collects, in order and without repeats, what was ignored and what was adjusted.

    With `strict`, the first entry raises InvalidRequest instead.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self._ignored: dict[str, None] = {}
        self._adjusted: dict[str, None] = {}

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(self._ignored)

    @property
    def adjusted(self) -> tuple[str, ...]:
        return tuple(self._adjusted)

    def ignore(self, path: str) -> None:
        """`path` was left out: the upstream has nothing that means the same."""
        if self.strict:
            raise InvalidRequest(
                f"Unsupported parameter: '{path}' is not supported by this upstream.",
                param=path,
                code="unsupported_parameter",
            )
        self._ignored[path] = None

    def adjust(self, path: str, sent: object) -> None:
        """`path` went upstream as `sent`, which is not quite what the client wrote."""
        if self.strict:
            raise InvalidRequest(
                f"Unsupported value: '{path}' can only be sent to this upstream as {sent}.",
                param=path,
                code="unsupported_value",
            )
        self._adjusted[f"{path}={sent}"] = None
