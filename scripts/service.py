"""Starts, stops and describes the background service: `service.py start|stop|status`.

supervisord owns the process. The pid file is gunicorn's: `kill -HUP $(cat anthropic-proxy.pid)` reloads it.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from health import ROOT, answers, base_url, configured_environment, listening_address
from processes import command_of, environment_of, folder_of, pid_in
from supervisor.xmlrpc import SupervisorTransport

NAME = "anthropic-proxy"
CONFIG = ROOT / "supervisord.conf"
PID_FILE = ROOT / "anthropic-proxy.pid"
SOCKET = ROOT / "run" / "supervisor.sock"
SANDBOX_MARK = ROOT / "run" / "sandbox"  # there while the sandbox answers because the environment said so
LOGS = (ROOT / "logs" / "server.log", ROOT / "logs" / "server_error.log")
LONGEST_SOCKET_PATH = 103  # bytes, on macOS; 107 on Linux
START_TIMEOUT = 60.0  # seconds
# Exit codes of `status`, as the Linux Standard Base gives them to init scripts.
RUNNING, STALE_PID_FILE, NOT_RUNNING, UNKNOWN = 0, 1, 3, 4


class Failure(Exception):
    """The command cannot do what it was asked; the text says why and what to do."""


def say(line: str) -> None:
    """Print a line, and go on without a reader when it has read enough, as in `status.sh | head -1`."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def supervisor() -> Any:
    """supervisord's XML-RPC interface; its calls raise OSError when supervisord is not there."""
    transport = SupervisorTransport(None, None, f"unix://{SOCKET}")
    return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor


def supervised() -> dict[str, Any] | None:
    """What supervisord says of the service (`statename`, `pid`, `start`); None when it does not run."""
    try:
        return dict(supervisor().getProcessInfo(NAME))
    except (OSError, xmlrpc.client.Error):
        return None


def service_pid() -> int | None:
    """The pid of the running service; None without a pid file or with one whose process is not this folder's.

    A pid file is copied with its folder, and a pid is given anew: either may be that of another folder's service.
    """
    pid = pid_in(PID_FILE)
    if not pid or "gunicorn.conf.py" not in (command_of(pid) or ""):
        return None
    return pid if folder_of(pid) == str(ROOT) or (supervised() or {}).get("pid") == pid else None


def stop_timeout() -> float:
    config = RawConfigParser(inline_comment_prefixes=(";",))
    config.read(CONFIG)
    return config.getfloat(f"program:{NAME}", "stopwaitsecs")


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def require_free_addresses() -> None:
    command = [sys.executable, "-m", "app.server.addresses"]
    asked = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if asked.returncode:
        raise Failure(asked.stderr.rstrip())


def prepare_folders() -> None:
    if len(os.fsencode(SOCKET)) > LONGEST_SOCKET_PATH:
        raise Failure(f"{SOCKET} is too long for a unix socket: move the project to a shorter path.")
    for folder in (ROOT / "logs", SOCKET.parent):
        try:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            reason = f"{error.strerror}; the background service needs a folder of its own there"
            raise Failure(f"{folder} cannot be written: {reason}.") from error


def launch_supervisord() -> None:
    # The service's command is looked up on PATH: this virtual environment's comes first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIG)]
    # The umask in supervisord.conf is set only after supervisord has opened its own log.
    launched = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": path}, umask=0o077, capture_output=True, text=True, check=False
    )
    if launched.returncode:
        raise Failure(f"supervisord did not start:\n{launched.stdout}{launched.stderr}".rstrip())


def written_since(file: Path, size: int) -> Iterator[str]:
    """The last lines of what was appended to a log after it had `size` bytes."""
    with suppress(OSError), file.open(errors="replace") as log:
        log.seek(size)
        yield from (f"  {line.rstrip()}" for line in log.readlines()[-40:])


def is_up(url: str) -> bool:
    """Whether the service answers; raises Failure when supervisord has seen it end."""
    process = supervised()
    if process and process["statename"] in {"BACKOFF", "EXITED", "FATAL", "STOPPED"}:
        raise Failure("it ended")
    return bool(process and process["pid"] == service_pid() and answers(url))


def start() -> None:
    url = base_url(*listening_address(configured_environment()))
    if pid := service_pid():
        say(f"{NAME} is already running (pid {pid}).")
        return
    if PID_FILE.exists():
        say(f"Removing a stale {PID_FILE.name}: its process is gone or another's.")
        PID_FILE.unlink()
    if supervised():
        end_supervisord()
    require_free_addresses()
    prepare_folders()
    sizes = {log: log.stat().st_size if log.exists() else 0 for log in LOGS}
    launch_supervisord()
    try:
        if not wait_for(lambda: is_up(url), START_TIMEOUT):
            raise Failure(f"{url}/health did not answer within {START_TIMEOUT:.0f} s")
    except Failure as failure:
        end_supervisord()
        PID_FILE.unlink(missing_ok=True)
        lines = [line for log in LOGS for line in written_since(log, sizes[log])]
        raise Failure("\n".join([f"{NAME} did not start: {failure}. Its log:", *lines])) from failure
    remember_sandbox()
    say(f"{NAME} is running (pid {service_pid()}) and answers at {url}")


def remember_sandbox() -> None:
    """Let restart.sh know that this start asked for the sandbox: it must not move to a paid upstream by itself."""
    if os.environ.get("UPSTREAM_BASE", "").strip() == "sandbox:":
        SANDBOX_MARK.touch()
    else:
        SANDBOX_MARK.unlink(missing_ok=True)


def has_ended(pid: int) -> bool:
    """Whether supervisord has. Being asked wakes it: by itself it looks once a second what became of its service."""
    with suppress(OSError, xmlrpc.client.Error, http.client.HTTPException):
        supervisor().getState()
    return command_of(pid) is None


def end_supervisord() -> None:
    """Shut supervisord down and with it the service: SIGTERM, and SIGKILL after stopwaitsecs."""
    pid = supervisor().getPID()
    supervisor().shutdown()
    if not wait_for(lambda: has_ended(pid), stop_timeout() + 10):
        raise Failure(f"supervisord (pid {pid}) does not end.")


def end_orphan(pid: int) -> None:
    """End a service without supervisord: SIGTERM, and SIGKILL after the same time.

    SIGKILL goes to its whole group if that is its own. In a group of somebody else's, such as the script's that
    started it, the workers leave by themselves once their master is gone.
    """
    os.kill(pid, signal.SIGTERM)
    if wait_for(lambda: command_of(pid) is None, stop_timeout()):
        return
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def stop() -> None:
    pid = service_pid()
    had_supervisord = supervised() is not None
    if pid:
        say(f"Stopping {NAME} (pid {pid}): open streams may finish, SIGKILL after {stop_timeout():.0f} s.")
    if had_supervisord:
        end_supervisord()
    elif pid:
        end_orphan(pid)
    stale = PID_FILE.exists()
    PID_FILE.unlink(missing_ok=True)
    SANDBOX_MARK.unlink(missing_ok=True)
    if pid or had_supervisord:
        say(f"{NAME} is stopped.")
    else:
        say(f"{NAME} is not running{'; removed a stale ' + PID_FILE.name if stale else ''}.")


def status() -> int:
    pid, process = service_pid(), supervised()
    # `PORT=5001 scripts/start.sh` holds for the service, not for the shell that asks later.
    environ = environment_of(pid) if pid else None
    url = base_url(*listening_address(configured_environment(environ or os.environ)))
    healthy = answers(url)
    if pid is None:
        state = f", supervisord says {process['statename']}" if process else ""
        say(f"{NAME} is not running in the background{state}.")
        if PID_FILE.exists():
            say(f"  pid file   {PID_FILE.name} is stale: process {pid_in(PID_FILE)} is gone or another's")
        if healthy:
            say(f"  health     something else answers at {url}/health")
        return STALE_PID_FILE if PID_FILE.exists() else NOT_RUNNING
    started = process["start"] if process else PID_FILE.stat().st_mtime
    say(f"{NAME} is running{'' if process else ', but its supervisord is gone: nobody restarts it'}.")
    say(f"  pid        {pid}")
    say(f"  command    {command_of(pid)}")
    say(f"  started    {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(started))}")
    say(f"  health     {url}/health {'answers' if healthy else 'does NOT answer'}")
    for log in LOGS:
        say(f"  log        {log.relative_to(ROOT)}, {log.stat().st_size if log.exists() else 0} bytes")
    return RUNNING if healthy else UNKNOWN


def main() -> int:
    commands: dict[str, Callable[[], int | None]] = {"start": start, "stop": stop, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(f"usage: service.py {'|'.join(commands)}", file=sys.stderr)
        return 2
    try:
        return commands[sys.argv[1]]() or 0
    except (Failure, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
