"""Waiting for something that another thread or process does."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], seconds: float = 10, what: str = "it") -> float:
    """Seconds until `condition` held; fails after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)
    return time.monotonic() - began
