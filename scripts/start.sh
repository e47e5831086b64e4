#!/usr/bin/env bash
# Starts the service in the background and waits until it answers. Exit status 1, with its log, when it does not.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
install_requirements requirements.txt
check_settings
exec "$venv_python" scripts/service.py start
