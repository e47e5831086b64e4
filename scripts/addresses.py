"""Whether the service can listen where its settings say, asked before it is started."""

import errno
import socket
import sys

from health import configured_environment, listening_address


def require_free_addresses() -> None:
    """Raises ValueError when nobody can listen on HOST and PORT, or on METRICS_HOST and METRICS_PORT where it is set.

    Without it another program's /health would pass for this service's.
    """
    environ = configured_environment()
    _require_free(*listening_address(environ), "")
    host, port = (environ.get("METRICS_HOST") or "").strip(), (environ.get("METRICS_PORT") or "").strip()
    if port not in {"", "0"}:
        _require_free(host or "127.0.0.1", int(port), "METRICS_")


def _require_free(host: str, port: int, prefix: str) -> None:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        taken = error.errno in {errno.EADDRINUSE, errno.EACCES}
        hint = f"set another {prefix}{'PORT' if taken else 'HOST'} in .env or the environment"
        if error.errno == errno.EADDRINUSE and sys.platform == "darwin" and port == 5000:
            hint += " (macOS itself listens on 5000 while AirPlay Receiver is on)"
        raise ValueError(f"Cannot listen on {host} port {port}: {error.strerror}; {hint}.") from error
