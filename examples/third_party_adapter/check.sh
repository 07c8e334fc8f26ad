#!/bin/sh
# Installs this distribution and runs its tests as a user of Cartwheel would: found by entry point.
# PYTHON names an interpreter that has Cartwheel, pytest and hatchling (make examples sets it);
# without it a new environment is made, which takes longer and needs a package index.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "${PYTHON:-}" ]; then
  case "$PYTHON" in */*) PYTHON=$(cd "$(dirname "$PYTHON")" && pwd)/$(basename "$PYTHON") ;; esac
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --target "$work/site" "$here"
  export PYTHONPATH="$work/site"
else
  python3 -m venv "$work/venv"
  PYTHON="$work/venv/bin/python"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check "$root" "$here" "pytest>=9"
fi

# Away from the checkout, so that only what is installed can be found.
cd "$work"
"$PYTHON" -c 'from cartwheel.plugins import load_adapter; print(load_adapter("jsonfile").info)'
"$PYTHON" -m pytest -q -p no:cacheprovider -c "$here/pyproject.toml" --rootdir "$here" "$here/tests"
