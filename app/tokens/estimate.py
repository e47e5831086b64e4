"""The estimate: parts of a request, sampled, counted and scaled to the model, without blocking for long."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.tokens import offload
from app.tokens.content import request_parts
from app.tokens.families import Family, family_of
from app.tokens.json_parts import Part
from app.tokens.sampling import Sampler
from app.tokens.tokenizer import BUNDLED, Tokenizer

# What is not counted by then goes on in a native thread; going there and back costs a tenth of this.
INLINE_SECONDS = 0.004


def estimate_input_tokens(messages_request: Mapping[str, Any], model: str, *, tokenizer: Tokenizer = BUNDLED) -> int:
    """Input tokens of a Messages or count_tokens request for `model`, at least 1.

    Takes any JSON object, valid as a request or not, and raises nothing. More messages never count less.
    """
    family = family_of(model)
    return max(1, _estimate(request_parts(messages_request, family), family, tokenizer))


def estimate_text_tokens(text: str, model: str, *, tokenizer: Tokenizer = BUNDLED) -> int:
    """Tokens of a bare text for `model`; 0 when it is empty."""
    return _estimate(iter((text,)), family_of(model), tokenizer)


def _estimate(parts: Iterator[Part], family: Family, tokenizer: Tokenizer) -> int:
    tally = _Tally(parts, _scaled(tokenizer.counter(), family))
    if not tally.advance(until=time.perf_counter() + INLINE_SECONDS):
        offload.run(tally.advance)
    return tally.total()


def _scaled(count: Callable[[str], int], family: Family) -> Callable[[str], float]:
    """Tokens of `family`'s models from the tokenizer's; the part outside ASCII has a scale of its own."""

    def scaled(text: str) -> float:
        tokens = count(text) * family.text_scale
        if text.isascii():
            return tokens
        non_ascii = 1 - len(text.encode("ascii", "ignore")) / len(text)
        return tokens * (1 - non_ascii * (1 - family.non_latin_scale))

    return scaled


class _Tally:
    """A count that can be interrupted between two parts or slices and taken up again by another thread."""

    def __init__(self, parts: Iterator[Part], count: Callable[[str], float]) -> None:
        self._sampler = Sampler(count)
        self._flat_tokens = 0
        self._steps = self._walk(parts)

    def advance(self, until: float = math.inf) -> bool:
        """Count on; False when `until` (perf_counter) came before the end."""
        return all(time.perf_counter() < until for _ in self._steps)

    def total(self) -> int:
        return self._flat_tokens + math.ceil(self._sampler.tokens)

    def _walk(self, parts: Iterator[Part]) -> Iterator[None]:
        for part in parts:
            if isinstance(part, str):
                yield from self._sampler.add(part)
            else:
                self._flat_tokens += part
            yield
