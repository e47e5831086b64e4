"""Thinking blocks, remembered for clients that do not send them back."""
