#!/usr/bin/env bash
# Lint, format, types, the audit of the dependencies and tests, in the virtual environment with what is pinned. Arguments go to pytest.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
install_requirements requirements-dev.txt

"$venv_python" -m ruff check .
"$venv_python" -m ruff format --check .
"$venv_python" -m mypy app
"$venv_python" scripts/audit.py
exec "$venv_python" -m pytest "$@"
