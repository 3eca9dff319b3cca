#!/bin/sh
# Installs Debian packages that are missing: Python's venv always, and what the arguments name.
set -eu
missing=""
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="python3 python3-venv"
for package in "$@"; do
    dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get update --quiet
# Package names, one word each.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install --quiet --yes --no-install-recommends $missing
