"""Views: one module for each resource, each view under twenty lines."""

import re
from functools import cache

PREFIXES = ("/v1", "", "/v1/v1", "//v1", "/v1/")
"""Clients append their paths to base URLs that end in /v1, or do not, or do although the client adds it itself, or that
end in a slash although the path begins with one."""
_PREFIX = re.compile(r"/*(?:v1/+)*(?=chat/|messages|models)")


@cache
def canonical(rule: str) -> str:
    """The documented form of a URL rule, whichever prefix it was reached by."""
    return _PREFIX.sub("/v1/", rule, count=1) if _PREFIX.match(rule) else rule
