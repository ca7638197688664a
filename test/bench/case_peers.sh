# (f) The same service as a team would write it in Node or Python, on the same RabbitMQ and queue. They answer once the
# broker has confirmed; control-tower answers once the trigger is on its own disk.

peers_queue=bench.peers peers_processes=${BENCH_PEER_PROCESSES:-1} peers=${BENCH_PEERS:-node python}
peers_python=/usr/bin/python3  # Debian's, which has Debian's packages

peers_prepare() {
  local peer
  for peer in $peers; do
    case $peer in
      node) peers_prepare_node ;;
      python)
        "$peers_python" -c 'import fastapi, uvicorn, pika, httptools, uvloop' ||
          die "Python packages are missing (third_party/deps.sh bench-peers)" ;;
      *) die "there is no peer '$peer'" ;;
    esac
  done
}

# Installs into build/bench/peers what npm has to fetch; again only when package.json has changed.
peers_prepare_node() {
  local to=$dir/peers/node version
  version=$(node --version) || die "node is missing (third_party/deps.sh bench-peers)"
  version=${version#v}
  [ "${version%%.*}" -ge 20 ] ||
    die "fastify 5 needs Node 20, here is $version: install a newer one, or leave it out by BENCH_PEERS=python"
  mkdir -p "$to"
  cp "$here/peers/node/server.js" "$to"
  if [ ! -d "$to/node_modules/amqplib" ] || ! cmp -s "$here/peers/node/package.json" "$to/package.json"; then
    cp "$here/peers/node/package.json" "$to"
    (cd "$to" && npm install --omit=dev --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error) >&2 ||
      { rm -f "$to/package.json"; die "npm install failed"; }
  fi
}

peers_start() {  # node|python
  server_port=$(free_port)
  if [ "$1" = node ]; then
    start_server "peer-$1.log" env NODE_ENV=production node "$dir/peers/node/server.js" "$url" "$peers_queue" \
      "$server_port" "$peers_processes"
  else
    start_server "peer-$1.log" env AMQP_URL="$url" AMQP_EXCHANGE="$peers_queue" PYTHONDONTWRITEBYTECODE=1 \
      "$peers_python" -m uvicorn --app-dir "$here/peers/python" --host 127.0.0.1 --port "$server_port" \
      --workers "$peers_processes" --loop uvloop --http httptools --no-access-log --log-level warning server:app
  fi
  "$bin/bench-client" "$server_port" up /readyz 60 >/dev/null ||
    { tail -n 20 "$dir/peer-$1.log" >&2; die "the peer in $1 is not ready"; }
}

peers_peer() {  # node|python
  local result count cpu
  make_queue "$peers_queue" "$queue_type"
  await_quiet
  peers_start "$1"
  cpu=$(cpu_us $(family "$server_pid"))
  result=$(post_load "$server_port" 32)
  count=$(value requests "$result")
  note_load "peers_$1" "$result"
  note "peers_$1_published" "$(last "peers_$1_rate")"  # they answer when it is confirmed
  note_cost "peers_$1" "$cpu" "$count" $(family "$server_pid")
  stop_server
  expect_in_queue "$peers_queue" "$count"
  drop_queue "$peers_queue"
}

peers_tower() {
  local cpu
  make_queue "$peers_queue" "$queue_type"
  await_quiet
  start_tower "$peers_queue"
  cpu=$(cpu_us "$tower_pid")
  post_to_tower peers_tower 32
  await_metric triggers_published_total "$accepted" 120 >/dev/null
  note_cost peers_tower "$cpu" "$accepted" "$tower_pid"
  stop_tower
  expect_in_queue "$peers_queue" "$accepted"
  drop_queue "$peers_queue"
}

peers_round() {
  local peer
  peers_tower
  for peer in $peers; do
    peers_peer "$peer"
    note "peers_${peer}_ratio" "$(calc "$(last peers_tower_rate) / $(last "peers_${peer}_rate")")"
    note "peers_${peer}_confirmed_ratio" "$(calc "$(last peers_tower_published) / $(last "peers_${peer}_rate")")"
  done
}

peers_name() {
  case $1 in
    tower) "$tower" --version | head -n 1 ;;
    node) echo "Node $(node --version | tr -d v), fastify $(peers_version fastify), amqplib $(peers_version amqplib)" ;;
    python) "$peers_python" -c 'import platform, fastapi, uvicorn, pika
print(f"Python {platform.python_version()}, FastAPI {fastapi.__version__}, uvicorn {uvicorn.__version__}, pika {pika.__version__}")' ;;
  esac
}

peers_version() { node -p "require('$dir/peers/node/node_modules/$1/package.json').version"; }

peers_row() {  # NAME ANSWERS_WHEN
  local p=peers_$1
  printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$(peers_name "$1")" "$2" \
    "$(calc "$(median "${p}_rate")" 0)" "$(calc "$(median "${p}_published")" 0)" "$(calc "$(median "${p}_cpu")" 1)" \
    "$(calc "$(median "${p}_memory")" 1)" "$(calc "$(median "${p}_p50_ms")" 1)" "$(calc "$(median "${p}_p99_ms")" 1)"
}

peers_report() {
  local peer
  printf '\n(f) what a team would write instead: as Markdown\n\n'
  echo "$(date -u +%F), $(processor), RabbitMQ $(rabbitmq_version); one trigger a request, 32 connections, $queue_type" \
    "queue, $peers_processes process(es) a peer, load and broker on the same machine:"
  echo
  echo '| | answers when | accepted/s | confirmed/s | CPU a trigger, µs | peak memory, MiB | p50, ms | p99, ms |'
  echo '|---|---|---|---|---|---|---|---|'
  peers_row tower 'on its own disk'
  for peer in $peers; do peers_row "$peer" 'confirmed by the broker'; done
  echo
  for peer in $peers; do
    row "accepted a second, times that of $peer" 2 "peers_${peer}_ratio"
    row "confirmed a second, times that of $peer" 2 "peers_${peer}_confirmed_ratio"
  done
}
