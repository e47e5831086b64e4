"""Local token estimate: what a Messages request or a text costs, without asking the upstream."""

from app.tokens.estimate import estimate_input_tokens, estimate_text_tokens

__all__ = ["estimate_input_tokens", "estimate_text_tokens"]
