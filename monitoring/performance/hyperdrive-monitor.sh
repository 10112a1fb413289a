#!/bin/sh
# The monitor, from any directory and through any link: the same as `sluice monitor`, with the Node that the repository
# installs. Options: --help, and docs/monitoring.md.
set -eu

script=$0
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname "$script")/$target ;;
  esac
done
root=$(CDPATH='' cd -P -- "$(dirname "$script")/../.." && pwd)

node=$root/node_modules/.bin/node
if [ ! -x "$node" ]; then
  echo "hyperdrive-monitor: nothing is installed yet: run npm ci in $root" >&2
  exit 2
fi
exec "$node" "$root/packages/gateway/src/cli/sluice.ts" monitor "$@"
