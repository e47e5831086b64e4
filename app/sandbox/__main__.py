"""`python -m app.sandbox`: the sandbox on a port of its own, for tests and load over sockets."""

import argparse
import signal
import socket
import sys
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from app.sandbox.wsgi_app import SLEEP_KEY, sandbox_app

BACKLOG = 1_024


class SandboxServer(WSGIServer):
    """pywsgi sends head and body apart; without TCP_NODELAY the body waits 40 ms for the client's delayed ACK."""

    def handle(self, client: Any, address: Any) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(client, address)


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. The only line on stdout is `sandbox listening on http://HOST:PORT`."""
    parser = argparse.ArgumentParser(prog="python -m app.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100, help="0 takes a free port (default: %(default)s)")
    options = parser.parse_args(arguments)
    # The sandbox waits nowhere but in this sleep, so nothing has to be monkey-patched.
    server = SandboxServer(
        (options.host, options.port),
        sandbox_app,
        backlog=BACKLOG,
        log=None,
        environ={SLEEP_KEY: gevent.sleep},
    )
    server.start()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(signal_number, server.stop, 0)
    sys.stdout.write(f"sandbox listening on http://{options.host}:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
