"""The service as an operator runs it: gunicorn with gunicorn.conf.py, as processes of their own."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 40


class GunicornServer:
    """`with GunicornServer(UPSTREAM_BASE=...) as server:` starts it at `server.port`, on 127.0.0.1 and a free port."""

    def __init__(self, application: str = "wsgi:app", **environ: object) -> None:
        self._application = application
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        defaults = {"HOST": "127.0.0.1", "PORT": "0", "WORKERS": "1", "PYTHON_DOTENV_DISABLED": "1"}
        self._environ = kept | defaults | {key: str(value) for key, value in environ.items()}
        self.port = 0

    def __enter__(self) -> "GunicornServer":
        self._log = tempfile.TemporaryFile("w+b")
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", self._application]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self._environ, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self._wait_until_it_serves()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _wait_until_it_serves(self) -> None:
        workers = int(self._environ["WORKERS"])
        self.wait_for(lambda: self.log().count("Booting worker") >= workers and "Listening at" in self.log())
        match = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())
        assert match is not None
        self.port = int(match[1])
        # Until a worker has loaded the application, connections wait in the backlog.
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)) as client:
            client.request("GET", "/health")
            client.getresponse().read()

    def _stop(self) -> None:
        family = [self.process_info, *self.workers()] if self.process.poll() is None else []
        if family:
            self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            left = [process for process in family if process.is_running() and process.status() != "zombie"]
            for process in left:
                process.kill()
            self._log.close()
        assert not left, "processes were left running"

    @property
    def process_info(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def workers(self) -> list[psutil.Process]:
        return list(self.process_info.children())

    @property
    def worker(self) -> psutil.Process:
        """The only worker."""
        (worker,) = self.workers()
        return worker

    def log(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def wait_for(self, condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
