# shellcheck shell=bash
# Sourced by the scripts beside it: goes to the project's folder and makes the virtual environment with what is pinned.
#
#   PYTHON        the interpreter for a new virtual environment (default: the first on PATH that is new enough)
#   VENV_DIR      where the virtual environment is (default: .venv in the project)
#   SKIP_INSTALL  1: use the virtual environment as it is

set -euo pipefail

project_root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd -- "$project_root"
venv_dir="${VENV_DIR:-$project_root/.venv}"
venv_python="$venv_dir/bin/python"

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

# Prints the interpreter to build with: $PYTHON or nothing else, when that is set.
find_python() {
    local candidate
    if [[ -n "${PYTHON:-}" ]]; then
        if is_new_enough "$PYTHON"; then
            printf '%s\n' "$PYTHON"
            return
        fi
        echo "PYTHON=$PYTHON is not Python 3.10 or newer: $("$PYTHON" --version 2>&1 || true)" >&2
        return 1
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do
        if is_new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    echo "Python 3.10 or newer is needed and not on PATH. Install it, or name it: PYTHON=/path/to/python3 $0" >&2
    return 1
}

version_of() {
    "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null
}

# Whether the virtual environment runs, has pip, and is of $PYTHON's version when that is set.
venv_is_usable() {
    "$venv_python" -m pip --version >/dev/null 2>&1 || return 1
    [[ -z "${PYTHON:-}" || "$(version_of "$venv_python")" == "$(version_of "$PYTHON")" ]]
}

make_venv() {
    local python
    python="$(find_python)"
    if [[ -e "$venv_dir" && ! -f "$venv_dir/pyvenv.cfg" ]]; then
        echo "VENV_DIR=$venv_dir exists and is no virtual environment: it is left alone." >&2
        return 1
    fi
    if ! mkdir -p -- "$venv_dir" 2>/dev/null || [[ ! -w "$venv_dir" ]]; then
        echo "The virtual environment $venv_dir cannot be written. Name another place for it: VENV_DIR=/path/to/venv $0" >&2
        return 1
    fi
    rmdir -- "$venv_dir" 2>/dev/null || true # empty, it would be no virtual environment should what follows be cut short
    echo "Making the virtual environment $venv_dir with $("$python" --version)" >&2
    if ! "$python" -m venv --clear "$venv_dir" >&2; then
        echo "This Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
        rm -rf -- "$venv_dir"
        return 1
    fi
}

# Installs requirements.txt or requirements-dev.txt, unless exactly that was installed before.
install_requirements() {
    local file="$1" installed="$venv_dir/$1"
    if [[ "${SKIP_INSTALL:-}" == 1 ]]; then
        return
    fi
    venv_is_usable || make_venv
    # The copy is written last, so an installation that was interrupted is done again.
    if [[ -f "$installed" && "$(<"$file")" == "$(<"$installed")" ]]; then
        return
    fi
    echo "Installing $file" >&2
    if ! "$venv_python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$file" >&2; then
        echo "pip could not install $file. It needs pypi.org, or a mirror that has these versions: PIP_INDEX_URL=https://..." >&2
        return 1
    fi
    cp -- "$file" "$installed"
}

# Reads every setting as the service will: a wrong one is named here, in one line, before anything is started or stopped.
check_settings() {
    "$venv_python" -m gunicorn -c gunicorn.conf.py --check-config
}
