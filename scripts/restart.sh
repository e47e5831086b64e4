#!/usr/bin/env bash
# Stops the background service and starts it with the settings of now. A setting that is wrong is found before the stop.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
install_requirements requirements.txt
if [[ -z "${UPSTREAM_BASE:-}" && -e run/sandbox ]]; then
    echo "It was started with --sandbox and stays there. For the upstream of the settings: scripts/stop.sh, scripts/start.sh"
    export UPSTREAM_BASE=sandbox:
fi
check_settings
"$venv_python" scripts/service.py stop
exec "$venv_python" scripts/service.py start
