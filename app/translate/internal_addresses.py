"""Addresses of the network behind a gateway, which its error pages name and no client should learn."""

from __future__ import annotations

import re

_NUMBER = r"(?:\.\d{1,3})"
_ADDRESS = re.compile(
    rf"""(?xai)
    (?<![\w.-])
    (?:
        (?:10|127){_NUMBER}{{3}}
      | (?:169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])){_NUMBER}{{2}}
      | \[(?:f[cd][0-9a-f]{{2}}|fe80|(?=::1\]))[0-9a-f:.%]*\]
      | localhost
      | (?:[a-z0-9_-]{{1,63}}\.){{1,9}}(?:internal|local|localdomain|svc)
    )
    (?::\d{{1,5}})?
    (?![\w-]|\.\w)
    """
)
"""RFC 1918, 6598, 4193, loopback and link-local addresses, and names of Kubernetes and of private zones."""


def without_internal_addresses(text: str) -> str:
    return _ADDRESS.sub("[internal address]", text)
