#!/bin/bash
# POSTs a JSON file to /triggers and prints the answer, for machines without curl.
#
#   post.sh FILE [PORT]
set -euo pipefail

[ $# -ge 1 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
exec 3<>"/dev/tcp/127.0.0.1/${2:-8000}"
printf 'POST /triggers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' \
  "$(wc -c <"$1")" >&3
cat "$1" >&3
cat <&3
echo
