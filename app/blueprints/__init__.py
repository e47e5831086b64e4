"""Views: one module for each resource, each view under twenty lines."""

PREFIXES = ("/v1", "", "/v1/v1")
"""Clients append their paths to base URLs that end in /v1, or do not, or do although the client adds it itself."""
