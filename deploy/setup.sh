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

# What tests run besides Python's packages. Prometheus is unpacked beside them rather than installed, since Debian's
# package would start a server; it is optional for the service too. Where there is no apt, tests say what they lack.
add_programs() {
    command -v apt-get >/dev/null || return 0
    local missing=()
    command -v java >/dev/null || missing+=(default-jre-headless)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    command -v kubectl >/dev/null || missing+=(kubernetes-client)
    command -v ip >/dev/null || missing+=(iproute2)
    if [ ${#missing[@]} -gt 0 ]; then
        if [ "$(id -u)" -ne 0 ]; then
            echo "setup: tests want these Debian packages, as root: apt-get install ${missing[*]}"
        else
            echo "setup: installing the Debian packages ${missing[*]}"
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
        fi
    fi
    if ! command -v prometheus >/dev/null && [ ! -x .venv/debian/usr/bin/prometheus ]; then
        echo "setup: unpacking the Debian package prometheus into .venv"
        if [ "$(id -u)" -eq 0 ]; then apt-get update -qq; fi
        (mkdir -p .venv/debian && cd .venv/debian && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .)
    fi
}

# checkov pins much of what it needs, so it has an environment of its own.
add_checkov() {
    [ -x .venv/checkov/bin/checkov ] && [ .venv/checkov/bin/checkov -nt tests/k8s/checkov-constraints.txt ] && return
    echo "setup: installing checkov into .venv/checkov"
    .venv/bin/python -m venv --clear .venv/checkov
    .venv/checkov/bin/python -m pip --disable-pip-version-check --quiet --no-input \
        install --constraint tests/k8s/checkov-constraints.txt checkov
    touch .venv/checkov/bin/checkov
}

# Two that are started at once take turns.
exec 9<deploy/setup.sh
if command -v flock >/dev/null; then flock 9; fi

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
if [ "$extra" = dev ]; then
    add_programs
    add_checkov
    if command -v npm >/dev/null; then npm ci --ignore-scripts --no-fund --no-audit --silent --prefix api/studio; fi
fi
