"""The `sandbox:...` words by which a user's text chooses a fault, a pace or a length."""

import re
from dataclasses import dataclass
from enum import Enum

from app.sandbox.api_error import CHOOSABLE_STATUSES, ApiError

MAX_PAUSE_SECONDS = 5.0
MAX_DELTAS = 100_000

_DIRECTIVE = re.compile(r"\bsandbox:(?:(cut)\b|(error|slow|long)[ \t]+([\w.]+))")


class Ending(Enum):
    """How the answer ends: whole, in an error event, or with the bytes just stopping."""

    COMPLETE = "complete"
    ERROR = "error"
    CUT = "cut"


@dataclass(frozen=True)
class Directives:
    """What the text chose. `pause`: seconds between two deltas; `deltas`: how many text deltas to send."""

    error_status: int | None = None
    ending: Ending = Ending.COMPLETE
    pause: float = 0.0
    deltas: int | None = None


def directives(text: str) -> Directives:
    """Read every directive in `text`; the last of a kind wins.

    `sandbox:error 429`, `sandbox:error midstream`, `sandbox:cut`, `sandbox:slow 0.2`, `sandbox:long 2000`.
    Raises ApiError 400 for an argument that means nothing.
    """
    error_status, ending, pause, deltas = None, Ending.COMPLETE, 0.0, None
    for cut, word, argument in _DIRECTIVE.findall(text):
        argument = argument.rstrip(".")
        if cut:
            ending = Ending.CUT
        elif word == "slow":
            pause = min(_number(word, argument), MAX_PAUSE_SECONDS)
        elif word == "long":
            deltas = max(1, min(int(_number(word, argument)), MAX_DELTAS))
        elif argument == "midstream":
            ending = Ending.ERROR
        else:
            error_status = _status(argument)
    return Directives(error_status, ending, pause, deltas)


def without_directives(text: str) -> str:
    """What the user says apart from them."""
    return _DIRECTIVE.sub("", text).strip()


def _number(word: str, argument: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d*)?|\.\d+", argument, re.ASCII):
        raise ApiError(400, f"sandbox:{word} takes a number, not {argument!r}")
    return float(argument)


def _status(argument: str) -> int:
    known = [str(status) for status in CHOOSABLE_STATUSES]
    if argument not in known:
        raise ApiError(400, f"sandbox:error takes {', '.join(known)} or midstream, not {argument!r}")
    return int(argument)
