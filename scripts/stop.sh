#!/usr/bin/env bash
# Stops the background service: SIGTERM, then SIGKILL when its open streams have had their time.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
if [[ ! -x "$venv_python" ]]; then
    echo "anthropic-proxy is not installed here, so it is not running."
    exit 0
fi
exec "$venv_python" scripts/service.py stop
