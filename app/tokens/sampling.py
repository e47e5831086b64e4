"""Which parts of a long text are counted: all of the beginning, then ever thinner samples."""

from collections.abc import Callable, Iterator

# A slice costs about 0.1 ms, 0.3 ms at worst, and is long enough for its cut to cost nothing.
SLICE_CHARS = 1_500
# A window is 1/32 of what came before it and its first slice is counted: the first 48,000 characters whole,
# 196,000 of a million, 365,000 of the 32 million that a request can hold.
_WINDOWS = 32
# A cut in front of a space falls between two tokens.
_CUT_SEARCH = 80


class Sampler:
    """Counts texts one after another; past the exact part, a window's slice stands for the whole window.

    What is counted depends only on what came before: more text never makes the total smaller, and a
    conversation that grew at its end repeats the slices of the last count.
    """

    def __init__(self, count: Callable[[str], float]) -> None:
        self.tokens = 0.0
        self._count = count
        self._seen_chars = 0
        self._slice_left = 0
        self._skip_left = 0
        self._window_tokens = 0.0
        self._window_chars = 0

    def add(self, text: str) -> Iterator[None]:
        """Count `text`; yields after every slice, so that a caller can stop or move to another thread."""
        start = 0
        while start < len(text):
            if self._slice_left:
                start = self._take(text, start)
                yield
            elif self._skip_left:
                start = self._skip(text, start)
            else:
                self._open_window()

    def _open_window(self) -> None:
        self._slice_left = SLICE_CHARS
        self._skip_left = max(0, self._seen_chars // _WINDOWS - SLICE_CHARS)
        self._window_tokens = 0.0
        self._window_chars = 0

    def _take(self, text: str, start: int) -> int:
        end = start + self._slice_left
        if end < len(text):
            space = text.rfind(" ", max(start + 1, end - _CUT_SEARCH), end)
            end = space if space > 0 else end
            self._slice_left = 0
        else:
            end = len(text)
            self._slice_left -= end - start
        tokens = self._count(text[start:end])
        self.tokens += tokens
        self._window_tokens += tokens
        self._window_chars += end - start
        self._seen_chars += end - start
        return end

    def _skip(self, text: str, start: int) -> int:
        skipped = min(self._skip_left, len(text) - start)
        self.tokens += skipped * self._window_tokens / self._window_chars
        self._skip_left -= skipped
        self._seen_chars += skipped
        return start + skipped
