"""An upstream of raw sockets: what it does to a request, byte by byte, is the script that the model's name chooses.

The model `silence#7` plays `SCRIPTS["silence"]`; what stands behind `#` tells the calls of one test from another's.
"""

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

LONGEST_STAY = 30.0
"""Seconds after which a script gives up waiting for the proxy to leave."""


@dataclass
class Call:
    """One request as it arrived. `left` is set when the proxy closed the connection while the script waited."""

    model: str
    head: bytes
    body: dict[str, Any]
    connection: int
    left: threading.Event = field(default_factory=threading.Event)
    sent: int = 0

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


class Peer:
    """One connection from the proxy, seen from a script."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self.call = call

    @property
    def streams(self) -> bool:
        return self.call.body.get("stream") is True

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)
        self.call.sent += len(data)

    def stay(self, seconds: float = LONGEST_STAY) -> None:
        """Wait; raises ConnectionAbortedError as soon as the proxy closes."""
        poller = select.poll()  # select() takes no descriptor above 1023
        poller.register(self._sock, select.POLLIN)
        if poller.poll(seconds * 1000) and self._has_left():
            self.call.left.set()
            raise ConnectionAbortedError

    def _has_left(self) -> bool:
        if not isinstance(self._sock, ssl.SSLSocket):
            return not self._sock.recv(1, socket.MSG_PEEK)
        try:
            return not self._sock.recv(1)
        except ssl.SSLError:
            return True

    def say_goodbye(self) -> None:
        """Send TLS's close_notify, without waiting for the proxy's."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(0)
            with contextlib.suppress(OSError):
                self._sock.unwrap()

    def reset(self) -> None:
        """End the connection with RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


class RawUpstream:
    """Listens on `host` at a free port, for a `with` statement. `scripts` take a Peer and return whether the
    connection stays open for the next request.

    With `tls` each connection is wrapped first; `stalls` makes it sit there instead of shaking hands, `deaf` instead of
    reading the request.
    """

    def __init__(
        self, scripts: dict[str, Any], tls: ssl.SSLContext | None = None, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self._scripts = scripts
        self.tls = tls
        self.stalls = False
        self.deaf = False
        self.stalled_call_left = threading.Event()
        self.calls: list[Call] = []
        self.accepted = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def calls_of(self, model: str) -> list[Call]:
        return [call for call in list(self.calls) if call.model == model]

    def call_of(self, model: str, seconds: float = 10) -> Call:
        """The call for `model`, awaited."""
        deadline = time.monotonic() + seconds
        while not (calls := self.calls_of(model)):
            assert time.monotonic() < deadline, f"{model} never reached the upstream"
            time.sleep(0.01)
        return calls[0]

    def __enter__(self) -> "RawUpstream":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_listening()
        self.close_connections()

    def stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def close_connections(self) -> None:
        """Close every open connection, idle ones too."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(sock, self.accepted), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.stalls:
                self._stall(sock)
                return
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        with self._lock:
            self._open.add(sock)
        try:
            while self.deaf:
                time.sleep(0.05)
            while self._one(sock, number):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            with contextlib.suppress(OSError):
                sock.close()

    def _stall(self, sock: socket.socket) -> None:
        sock.settimeout(LONGEST_STAY)
        while sock.recv(4096):
            pass
        self.stalled_call_left.set()
        sock.close()

    def _one(self, sock: socket.socket, number: int) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        pieces = [body]
        got = len(body)
        while got < length:
            piece = sock.recv(1 << 20)
            if not piece:
                return False
            pieces.append(piece)
            got += len(piece)
        request = json.loads(b"".join(pieces) or b"{}")
        model = str(request.get("model", head.split(b" ")[1].decode()))
        call = Call(model, head, request, number)
        self.calls.append(call)
        try:
            return bool(self._scripts.get(model.partition("#")[0], self._scripts["good"])(Peer(sock, call)))
        except ConnectionError:
            call.left.set()
            return False
