"""The service where some names are odd: `hangs.test` is never found, `broken-ipv6.test` has an IPv6 address before its
IPv4 one. gevent looks names up by `_socket.getaddrinfo`, in native threads."""

import _socket
import socket
from typing import Any

from gevent import monkey

from wsgi import app

__all__ = ["app"]
LOOKUP_SECONDS = 4.0
_original = _socket.getaddrinfo
_sleep = monkey.get_original("time", "sleep")


def getaddrinfo(host: Any, port: Any, *options: Any, **named: Any) -> list[Any]:
    if host == "hangs.test":
        _sleep(LOOKUP_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answered")
    if host == "broken-ipv6.test":
        stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *stream, ("::1", int(port), 0, 0)),
            (socket.AF_INET, *stream, ("127.0.0.1", int(port))),
        ]
    return _original(host, port, *options, **named)


_socket.getaddrinfo = getaddrinfo
