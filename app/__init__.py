"""anthropic-proxy: every tool that speaks OpenAI or Anthropic, on any Anthropic-compatible API.

What needs Flask or `requests` is loaded at the first use of `create_app`: gunicorn's master imports parts of this
package, and may bind nothing of `ssl` before gevent patches it.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.application import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return resolve_name(f"app.application:{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
