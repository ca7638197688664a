#!/bin/bash
# What control-tower talks to, for trying it out: a RabbitMQ on this machine only.
#
#   dependencies.sh DIR start|stop|url|see
#
# A container where an engine answers (compose.yaml here), else a private node from the distribution's rabbitmq-server
# (rabbitmq.sh here), with everything in DIR. `see` prints how to look at what arrived.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
dir=$1
mkdir -p "$dir"

engine() {
  command -v docker >/dev/null && timeout 5 docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

by_container() { [ "$(cat "$dir/kind" 2>/dev/null)" = container ]; }

compose() { docker compose --file "$here/compose.yaml" "$@"; }

start() {
  if engine; then
    echo container >"$dir/kind"
    compose up --detach --wait
    echo "rabbitmq: runs in a container: $(url), page http://127.0.0.1:${MANAGEMENT_PORT:-15672} (guest, guest)"
  else
    echo node >"$dir/kind"
    "$here/rabbitmq.sh" "$dir" start 5672
  fi
  echo "rabbitmq: stop it with: make dependencies-stop"
}

stop() {
  if by_container; then compose down; else "$here/rabbitmq.sh" "$dir" stop; fi
}

url() {
  if by_container; then
    echo "amqp://guest:guest@127.0.0.1:${AMQP_PORT:-5672}/%2f"
  else
    "$here/rabbitmq.sh" "$dir" url
  fi
}

see() {
  if by_container; then
    echo "http://127.0.0.1:${MANAGEMENT_PORT:-15672} (guest, guest): Queues, triggers, Get messages"
  else
    echo "test/support/rabbitmq.sh $dir get"
  fi
}

case $2 in
  start | stop | url | see) "$2" ;;
  *) echo "dependencies: unknown command '$2'" >&2; exit 2 ;;
esac
