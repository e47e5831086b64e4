"""A client of raw sockets: sees whether an answer is whole, and leaves or reads as slowly as it likes."""

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
KEY = "sk-client-key"
KINDS = [(CHAT, False), (CHAT, True), (MESSAGES, False), (MESSAGES, True)]
KIND_IDS = ["chat", "chat-stream", "messages", "messages-stream"]


@dataclass
class Reply:
    """An answer; `whole` tells whether it ended as HTTP says it must."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request_body(path: str, model: str, stream: bool, **fields: Any) -> bytes:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}
    return json.dumps(body | ({"stream": True} if stream else {}) | fields).encode()


def request_bytes(path: str, body: bytes, *fields: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", *fields, "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + body


class Client:
    """One connection to the service."""

    def __init__(self, port: int, timeout: float = 20, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.rest = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, path: str, model: str, stream: bool, **fields: Any) -> Reply:
        self.send(request_bytes(path, request_body(path, model, stream, **fields)))
        return self.reply()

    def until(self, mark: bytes) -> bytes:
        """All bytes up to `mark`, which must come."""
        while mark not in self.rest:
            data = self.sock.recv(65536)
            assert data, f"closed before {mark!r}: {self.rest!r}"
            self.rest += data
        found, _, self.rest = self.rest.partition(mark)
        return found + mark

    def reply(self, head_only: bool = False) -> Reply:
        began = time.monotonic()
        head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        status = int(head[0].split(" ")[1])
        body, whole = (b"", True) if head_only or status < 200 else self._body(headers)
        return Reply(status, headers, body, whole, time.monotonic() - began)

    def _body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        if headers.get("transfer-encoding") == "chunked":
            pieces: list[bytes] = []
            while (line := self._read_line()) is not None:
                size = int(line, 16)
                piece = self._read(size + 2)
                if len(piece) < size + 2:
                    return b"".join([*pieces, piece]), False
                if not size:
                    return b"".join(pieces), True
                pieces.append(piece[:-2])
            return b"".join(pieces), False
        length = int(headers.get("content-length", -1))
        body = self._read(length if length >= 0 else 1 << 40)
        return body, length < 0 or len(body) == length

    def _read_line(self) -> bytes | None:
        while b"\r\n" not in self.rest:
            data = self._receive()
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def _read(self, size: int) -> bytes:
        pieces, got = [self.rest], len(self.rest)
        while got < size:
            data = self._receive()
            if not data:
                break
            pieces.append(data)
            got += len(data)
        data = b"".join(pieces)
        self.rest = data[size:]
        return data[:size]

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(1 << 16)
        except ConnectionError:
            return b""

    def closed(self, seconds: float) -> bool:
        """Whether the service closes the connection within `seconds`."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


def ask(port: int, path: str, model: str, stream: bool, **fields: Any) -> Reply:
    with Client(port) as client:
        return client.ask(path, model, stream, **fields)


def raw(port: int, data: bytes, timeout: float = 10) -> Reply:
    """The answer to `data`, sent as it is."""
    with Client(port, timeout) as client:
        client.send(data)
        return client.reply()
