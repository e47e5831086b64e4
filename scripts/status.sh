#!/usr/bin/env bash
# Describes the background service. Exit status: 0 it answers, 1 stale pid file, 3 not running, 4 runs without answering.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
if [[ ! -x "$venv_python" ]]; then
    echo "anthropic-proxy is not installed here, so it is not running. To start it: scripts/start.sh"
    exit 3
fi
exec "$venv_python" scripts/service.py status
