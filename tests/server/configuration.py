"""gunicorn's configuration as gunicorn.conf.py makes it, without a gunicorn."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

ROOT = Path(__file__).resolve().parents[2]


def configuration(**changes: Any) -> Any:
    """A Config with the values of gunicorn.conf.py and `changes`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", sys.path[:])
        values = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    config = Config()
    for name, value in (values | changes).items():
        if name in config.settings:
            config.set(name, value)
    return config
