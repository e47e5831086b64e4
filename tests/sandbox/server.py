"""The sandbox as a process of its own on a free port, for tests over sockets."""

import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20
STOP_SECONDS = 5


class SandboxServer:
    """`with SandboxServer() as server:` starts it and waits until it listens at `server.url`."""

    url: str

    def __enter__(self) -> "SandboxServer":
        command = [sys.executable, "-W", "error", "-m", "app.sandbox", "--port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if readable else ""
        if not line.startswith("sandbox listening on "):
            self._stop()
            raise RuntimeError(f"the sandbox did not start; it said {line!r}")
        self.url = line.split()[-1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
