"""What was sent upstream, held for as long as its tokens may have to be estimated."""

from __future__ import annotations

from typing import Any

from app.tokens import estimate_input_tokens, estimate_text_tokens
from app.translate.usage import Usage, input_tokens


class SentPrompt:
    """The `body` of a Messages request for `model`; `counted` tells whether the client will read its tokens."""

    def __init__(self, body: dict[str, Any], model: str, counted: bool) -> None:
        self.body = body
        self._model = model
        self._counted = counted
        self._awaits_count = True
        self._tokens = 0

    def release(self, usage: Usage) -> None:
        """Let go of the body as soon as `usage` counts the prompt, or at once if nobody will read that.

        A stream lives long, and its request may be large. An upstream whose first usage counts no prompt may never do
        so: then the body stays.
        """
        if self._awaits_count and (usage or not self._counted):
            self._awaits_count = False
            self._tokens = input_tokens(usage)
            if self._tokens or not self._counted:
                self.body = {}

    def estimate(self, output: str) -> Usage:
        """An Anthropic usage for this prompt and the text of its answer."""
        return {
            "input_tokens": self._tokens or estimate_input_tokens(self.body, self._model),
            "output_tokens": estimate_text_tokens(output, self._model),
        }
