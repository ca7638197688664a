# (a) One trigger a request, durable, while all of it goes to RabbitMQ, against a bare cpp-httplib server.

post_tower() {
  local cpu queue=bench.post
  make_queue "$queue" "$queue_type"
  await_quiet
  start_tower "$queue"
  cpu=$(cpu_us "$tower_pid")
  post_to_tower post_tower 32
  await_metric triggers_published_total "$accepted" 120 >/dev/null
  note_cost post_tower "$cpu" "$accepted" "$tower_pid"
  stop_tower
  expect_in_queue "$queue" "$accepted"
  drop_queue "$queue"
}

post_bare() {
  local result cpu
  await_quiet
  start_bare_server
  cpu=$(cpu_us "$server_pid")
  result=$(post_load "$server_port" 32)
  note_load post_bare "$result"
  note_cost post_bare "$cpu" "$(value requests "$result")" "$server_pid"
  stop_server
}

post_round() {
  post_tower
  post_bare
  note post_ratio "$(calc "$(last post_tower_rate) / $(last post_bare_rate)")"
}

post_report() {
  heading "(a) POST /triggers, 32 connections, $queue_type queue" "bare server"
  row "accepted a second" 0 post_tower_rate post_bare_rate
  row "  of which published meanwhile, a second" 0 post_tower_published
  row "answer, p50, ms" 2 post_tower_p50_ms post_bare_p50_ms
  row "answer, p99, ms" 2 post_tower_p99_ms post_bare_p99_ms
  row "answer, bytes" 0 post_tower_answer_bytes post_bare_answer_bytes
  row "CPU a trigger, us (until published)" 1 post_tower_cpu post_bare_cpu
  row "peak memory, MiB" 1 post_tower_memory post_bare_memory
  target_row "CPU a trigger" post_tower_cpu '<=' 40 1
  ratio_row "ratio of accepted a second" post_ratio 0.7
}
