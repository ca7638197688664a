# (a) One trigger a request, durable, while all of it goes to RabbitMQ, against a bare cpp-httplib server.

post_load() {  # PORT
  wrk -t1 -c32 -d"${seconds}s" --timeout 10s -s "$here/post.lua" "http://127.0.0.1:$1" >"$dir/wrk.log" 2>&1 ||
    { cat "$dir/wrk.log" >&2; die "wrk failed"; }
  local result
  result=$(grep -E '^[a-z0-9_]+=' "$dir/wrk.log") || { cat "$dir/wrk.log" >&2; die "wrk printed no result"; }
  [ "$(value refused "$result")" = 0 ] && [ "$(value broken "$result")" = 0 ] ||
    { cat "$dir/wrk.log" >&2; die "requests failed"; }
  printf '%s\n' "$result"
}

post_tower() {
  local result requests accepted published cpu queue=bench.post
  "$bin/bench-queue" "$url" make "$queue" "$queue" "$post_queue"
  await_quiet
  start_tower "$queue"
  cpu=$(cpu_us "$tower_pid")
  result=$(post_load "$tower_port")
  published=$(metric published)
  accepted=$(metric accepted)
  requests=$(value requests "$result")
  # wrk leaves with one request under way on each connection.
  [ "$accepted" -ge "$requests" ] && [ "$accepted" -le $((requests + 32)) ] ||
    die "$requests requests were answered, but $accepted triggers accepted"
  note_all post_tower "$result"
  note post_tower_rate "$(calc "$requests / $(value seconds "$result")")"
  note post_tower_published "$(calc "$published / $(value seconds "$result")")"
  "$bin/bench-client" "$tower_port" await control_tower_triggers_published_total "$accepted" 120
  note_cost post_tower "$tower_pid" "$cpu" "$accepted"
  stop_tower
  expect_in_queue "$queue" "$accepted"
  "$bin/bench-queue" "$url" drop "$queue" "$queue"
}

post_bare() {
  local result cpu
  await_quiet
  start_bare_server
  cpu=$(cpu_us "$bare_pid")
  result=$(post_load "$bare_port")
  note_all post_bare "$result"
  note post_bare_rate "$(calc "$(value requests "$result") / $(value seconds "$result")")"
  note_cost post_bare "$bare_pid" "$cpu" "$(value requests "$result")"
  stop_bare_server
}

post_round() {
  post_tower
  post_bare
  note post_ratio "$(calc "$(last post_tower_rate) / $(last post_bare_rate)")"
}

post_report() {
  heading "(a) POST /triggers, 32 connections, $post_queue queue" "bare server"
  row "accepted a second" 0 post_tower_rate post_bare_rate
  row "  of which published meanwhile, a second" 0 post_tower_published
  row "answer, p50, ms" 2 post_tower_p50_ms post_bare_p50_ms
  row "answer, p99, ms" 2 post_tower_p99_ms post_bare_p99_ms
  row "answer, bytes" 0 post_tower_answer_bytes post_bare_answer_bytes
  row "CPU a trigger, us (until published)" 1 post_tower_cpu post_bare_cpu
  row "peak memory, MiB" 1 post_tower_memory post_bare_memory
  ratio_row "ratio of accepted a second" post_ratio 0.5
}
