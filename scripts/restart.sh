#!/usr/bin/env bash
# Stops the background service and starts it with the settings of now. A setting that is wrong is found before the stop.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
install_requirements requirements.txt
check_settings
"$venv_python" scripts/service.py stop
exec "$venv_python" scripts/service.py start
