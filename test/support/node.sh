#!/bin/sh
# Runs a script of Node with the packages that it needs, which npm installs into DIR first where they are not there yet.
#
#   node.sh FROM DIR SCRIPT [ARGUMENTS]    FROM: the script's folder, with package.json and package-lock.json
set -eu

[ $# -ge 3 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
from=$1
to=$2
script=$3
shift 3
die() { echo "node.sh: $*" >&2; exit 1; }

command -v node >/dev/null && command -v npm >/dev/null || die "needs node and npm: third_party/deps.sh test installs them"
mkdir -p "$to"
cp "$from/package.json" "$from/$script" "$to/"
if ! cmp -s "$from/package-lock.json" "$to/installed.json"; then
  rm -f "$to/installed.json"
  cp "$from/package-lock.json" "$to/"
  (cd "$to" && npm ci --omit=dev --no-audit --no-fund --ignore-scripts --loglevel=error) >&2 ||
    die "npm ci failed in $to: the registry that npm is set up with must be reached once"
  cp "$from/package-lock.json" "$to/installed.json"
fi
exec node "$to/$script" "$@"
