"""SIGHUP: everything is read before anything is replaced, and it is read from disk."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from gunicorn.errors import HaltServer

from app.metrics import folder as metrics_folder

HELD_ADDRESSES = "HELD_ADDRESSES"
"""Tells the check of a reload, by its environment, where the running service listens; comma-separated."""


def read_before_replacing(server: Any) -> None:
    """Have SIGHUP change nothing unless all of it can be loaded, and a start that fails say so once.

    By itself gunicorn ends, and every stream with it, when a reload meets a wrong setting or broken code; and with a
    traceback, when a second worker cannot load the application either.
    """
    reload, reap = server.handle_hup, server.reap_workers

    def reload_if_sound() -> None:
        command = [sys.executable, "-m", "gunicorn", *sys.argv[1:], "--check-config"]
        environ = {key: value for key, value in os.environ.items() if key != metrics_folder.VARIABLE}
        environ[HELD_ADDRESSES] = ",".join(server.held_addresses)
        check = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        if check.returncode:
            server.log.error("Not reloaded, the running workers stay: %s", check.stderr.strip())
        else:
            forget_modules()
            reload()

    def reap_workers() -> None:
        try:
            reap()
        except HaltServer:
            if server.LISTENERS:  # else it is stopping already
                raise

    server.handle_hup, server.reap_workers = reload_if_sound, reap_workers


def forget_modules() -> None:
    """Have what is imported next be read from disk.

    What the master has loaded is as old as itself: a worker that starts later would mix it with newer modules.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]
