#!/bin/sh
# Installs what the tests need (Debian packages, Chromium among them, and a virtual environment); runs lint, types, all tests.
# Arguments go to pytest: `sh tests/run.sh -k rewriter`.
set -eu
cd "$(dirname "$0")/.."
# libatomic1 is for the browser's driver; what follows it tries the files in deploy/.
sh deploy/debian-packages.sh chromium libatomic1 nginx-light caddy shellcheck openssl systemd
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/pytest -n auto "$@"
