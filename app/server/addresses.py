"""Whether somebody can listen where the settings say; `python -m app.server.addresses` asks before a start."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from app.dotenv_file import environment
from app.settings import Settings, SettingsError

DOTENV = Path(__file__).resolve().parents[2] / ".env"


def listen_error(host: str, port: int) -> OSError | None:
    """Why nobody can listen there now; None when somebody can."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return error
    return None


def addresses(settings: Settings) -> tuple[tuple[str, int], tuple[str, int]]:
    """Where the service listens and where its metrics do; port 0 of the latter: nowhere."""
    return (settings.host, settings.port), (settings.metrics_host, settings.metrics_port)


def as_texts(settings: Settings) -> list[str]:
    """`addresses` for require_new_addresses_free of another process."""
    return [f"{host} {port}" for host, port in addresses(settings)]


def require_metrics_address(settings: Settings) -> None:
    """Raises SettingsError when the metrics can never be served where the settings say."""
    if settings.metrics_port and settings.metrics_port == settings.port:
        raise SettingsError(f"METRICS_PORT={settings.metrics_port}: expected another port than PORT")
    # Any port: the one above may be this service's own, when a running one checks its settings before a reload.
    if settings.metrics_port and (error := listen_error(settings.metrics_host, 0)):
        expected = f"expected an address of this machine ({error.strerror})"
        raise SettingsError(f"METRICS_HOST={settings.metrics_host!r}: {expected}")


def require_new_addresses_free(settings: Settings, held: Collection[str]) -> None:
    """For the check before a reload: a master that finds a new address taken ends, and every stream with it.

    `held`: as_texts of the running service. Raises SettingsError.
    """
    for (host, port), as_text in zip(addresses(settings), as_texts(settings), strict=True):
        if port and as_text not in held and (error := listen_error(host, port)):
            refusal = f"a reload cannot listen on {host} ({error.strerror}); restart for it, or choose another"
            raise SettingsError(f"port {port}: {refusal}")


def warn_of_taken_metrics_port(settings: Settings, server: Any) -> None:
    """The workers try it again and again: a service without metrics is better than none.

    At an upgrade by SIGUSR2 the old master's workers still hold it.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if port and not server.master_pid and (error := listen_error(host, port)):
        server.log.error("METRICS_PORT=%d: no metrics until it is free on %s (%s)", port, host, error.strerror)


def require_free_addresses(settings: Settings) -> None:
    """For the check before a start: another program's /health would pass for this service's. Raises SettingsError."""
    for (host, port), prefix in zip(addresses(settings), ("", "METRICS_"), strict=True):
        if (port or not prefix) and (error := listen_error(host, port)):
            taken = error.errno in {errno.EADDRINUSE, errno.EACCES}
            hint = f"set another {prefix}{'PORT' if taken else 'HOST'} in .env or the environment"
            if error.errno == errno.EADDRINUSE and sys.platform == "darwin" and port == 5000:
                hint += " (macOS itself listens on 5000 while AirPlay Receiver is on)"
            raise SettingsError(f"Cannot listen on {host} port {port}: {error.strerror}; {hint}.")


def main() -> None:
    """Exit status 1, and why in one line, when somebody else listens there."""
    try:
        require_free_addresses(Settings.from_env(environment(DOTENV)[0]))
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
