#!/bin/bash
# Says what to try, then runs build/control-tower with the file watcher. BROKER and PORT come from the Makefile.
set -euo pipefail

inbox=build/inbox
mkdir -p "$inbox"
options=(--plugin file --plugin.file.path "$inbox" --queue.path build/control-tower.db --server.port "$PORT")
if [ "$BROKER" = stdout ]; then
  options+=(--broker stdout)
  arrival="in this terminal, one line of JSON a trigger"
else
  CONTROL_TOWER_AMQP_URL=$(test/support/dependencies.sh build/rabbitmq url)
  export CONTROL_TOWER_AMQP_URL  # not a flag: others could read its password in the list of processes
  options+=(--amqp.queue triggers)
  arrival=$(test/support/dependencies.sh build/rabbitmq see)
fi

cat <<END

control-tower starts now; Ctrl-C stops it. Try, from another terminal in this folder:

  a file       cp test/support/example.json $inbox/
  a request    curl -i -H 'Content-Type: application/json' --data @test/support/example.json http://127.0.0.1:$PORT/triggers
  without curl test/support/post.sh test/support/example.json $PORT
  its arrival  $arrival

END
exec build/control-tower "${options[@]}" "$@"
