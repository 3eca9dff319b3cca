#!/bin/sh
# Installs what the tests need (Debian's Chromium, Python's venv, a virtual environment) and runs lint, types and all tests.
# Arguments go to pytest: `sh tests/run.sh -k rewriter`.
set -eu
cd "$(dirname "$0")/.."
# nginx, Caddy, shellcheck and openssl try the files in deploy/.
sh deploy/debian-packages.sh chromium nginx-light caddy shellcheck openssl systemd
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/pytest -n auto "$@"
