"""What pid files, /proc, ps and lsof tell of living processes."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path


def pid_in(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def command_of(pid: int) -> str | None:
    """The command line of a living process, None when there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() or None
    if Path("/proc/self").exists():
        return None
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def environment_of(pid: int) -> dict[str, str] | None:
    """The environment a living process was started with, None when this machine does not tell."""
    with suppress(OSError):
        pairs = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
        return {key: value for key, equals, value in (pair.partition("=") for pair in pairs) if equals}
    return None


def folder_of(pid: int) -> str | None:
    """The folder a living process works in, None when this machine does not tell."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return os.readlink(f"/proc/{pid}/cwd")
        return None
    with suppress(FileNotFoundError):  # lsof is a part of macOS
        command = ["lsof", "-a", "-p", str(pid), "-d", "cwd", "-F", "n"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return next((line[1:] for line in shown.splitlines() if line.startswith("n")), None)
    return None
