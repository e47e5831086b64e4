"""An offline, deterministic upstream that speaks the Anthropic Messages API."""
