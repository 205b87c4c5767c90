#!/usr/bin/env bash
# Makes .venv and installs this project into it with an extra, every package at the version of constraints.txt.
#
#     deploy/setup.sh local    what `make demo` and `make up` need
#     deploy/setup.sh dev      that, and what the tests need
#
# Needs Python 3.11 or newer. Where Debian's Python lacks its venv module, root gets it installed; others are told how.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:?"usage: deploy/setup.sh local|dev"}

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed; this machine has $(python3 --version 2>/dev/null || echo none). \
On Debian 12 or newer: apt-get install python3 python3-venv. Elsewhere set PYTHON=/path/to/python3."
}

need_venv_module() {
    local python=$1 package
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing the Debian package $package"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
    else
        fail "$python has no venv module. On Debian, as root: apt-get install $package"
    fi
}

# An installation that was cut short can leave packages that look whole to pip; then everything is made anew.
if [ -e .venv/.installing ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    need_venv_module "$python"
    echo "setup: creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
echo "setup: installing spade-serving[$extra] and its pinned dependencies into .venv; the first time this takes minutes"
touch .venv/.installing
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet --no-input)
"${pip[@]}" install --constraint constraints.txt setuptools
"${pip[@]}" install --constraint constraints.txt --no-build-isolation --editable ".[$extra]"
rm .venv/.installing
