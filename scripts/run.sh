#!/usr/bin/env bash
# Runs the service; see --help.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'TEXT'
usage: scripts/run.sh [--background] [--sandbox]

Runs the service in the foreground until Ctrl-C. Makes the virtual environment and installs what is pinned first.

  -b, --background  under supervisord instead: then scripts/status.sh, restart.sh and stop.sh steer it
  --sandbox         answer from the built-in offline upstream: no key, no internet
  -h, --help        this text

Settings come from the environment and from .env (see .env.example).
PYTHON=... names the interpreter to build with, VENV_DIR=... another place for the virtual environment.
TEXT
}

background=false
sandbox=false
for argument in "$@"; do
    case "$argument" in
        -b | --background) background=true ;;
        --sandbox)
            sandbox=true
            export UPSTREAM_BASE=sandbox:
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "unknown option: $argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done

install_requirements requirements.txt
check_settings

# A way to try the sandbox, when it is what answers.
sandbox_hint() {
    if [[ "${UPSTREAM_BASE:-}" != sandbox: ]]; then
        return
    fi
    local url
    url="$("$venv_python" scripts/health.py --url)"
    cat <<TEXT
The sandbox answers, without key or internet. Try, in another terminal:

  curl -N $url/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model": "glm-4.5", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'

TEXT
}

if "$background"; then
    if "$sandbox" && "$venv_python" scripts/service.py status >/dev/null 2>&1; then
        echo "A service runs already, perhaps on a paid upstream. Stop it first: scripts/stop.sh" >&2
        exit 1
    fi
    "$venv_python" scripts/service.py start
    sandbox_hint
    exit
fi
"$venv_python" -m app.server.addresses
sandbox_hint
exec "$venv_python" -m gunicorn -c gunicorn.conf.py
