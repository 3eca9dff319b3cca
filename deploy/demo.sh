#!/bin/sh
# Installs the gateway into a virtual environment beside this checkout and runs the demo: a site of several pages behind it.
# Arguments go to the demo.
set -eu
cd "$(dirname "$0")/.."
sh deploy/debian-packages.sh
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check .
exec .venv/bin/consent-gateway demo "$@"
