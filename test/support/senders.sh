#!/bin/sh
# Sends deliveries of webhooks with the senders' own libraries, which npm installs into DIR first where they are not
# there yet.
#
#   senders.sh DIR    as test/plugins/webhook/senders/send.mjs: from standard input to standard output
set -eu

[ $# -eq 1 ] || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
from=$(cd "$(dirname "$0")/../plugins/webhook/senders" && pwd)
to=$1
die() { echo "senders: $*" >&2; exit 1; }

command -v node >/dev/null && command -v npm >/dev/null || die "needs node and npm: third_party/deps.sh test installs them"
mkdir -p "$to"
cp "$from/package.json" "$from/send.mjs" "$to/"
if ! cmp -s "$from/package-lock.json" "$to/installed.json"; then
  rm -f "$to/installed.json"
  cp "$from/package-lock.json" "$to/"
  (cd "$to" && npm ci --omit=dev --no-audit --no-fund --ignore-scripts --loglevel=error) >&2 ||
    die "npm ci failed in $to: the registry that npm is set up with must be reached once"
  cp "$from/package-lock.json" "$to/installed.json"
fi
exec node "$to/send.mjs"
