"""Runs in TensorZero's own virtualenv: its Rust gateway, on a port of its choice. Arguments: config, file for the port.

The wheel serves HTTP for `tensorzero.patch_openai_client`; this starts the same server without a client.
"""

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import tensorzero  # type: ignore[import-not-found]

config, port_file = sys.argv[1:]
gateway = tensorzero._start_http_gateway(
    config_file=config, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
unfinished = Path(port_file + ".new")
unfinished.write_text(str(urlsplit(gateway.base_url).port))
unfinished.rename(port_file)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    signal.pause()
