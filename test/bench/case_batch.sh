# (b) Batches of 1000, as array and as NDJSON, from the first byte of the first request to the last confirm of a quorum
# queue, against a bare rabbitmq-c publisher that has the messages in memory.

batch_tower() {  # FORMAT
  local result cpu queue=bench.batch name=batch_$1
  make_queue "$queue" quorum
  await_quiet
  start_tower "$queue"
  cpu=$(cpu_us "$tower_pid")
  result=$("$bin/bench-client" "$tower_port" deliver "$triggers" 1000 4 "$1")
  note_cost "$name" "$cpu" "$triggers" "$tower_pid"
  note "${name}_rate" "$(calc "$triggers / $(value seconds "$result")")"
  note "${name}_accepted" "$(calc "$triggers / $(value accept_seconds "$result")")"
  stop_tower
  expect_in_queue "$queue" "$triggers"
  drop_queue "$queue"
}

batch_bare() {
  local result queue=bench.batch
  make_queue "$queue" quorum
  await_quiet
  result=$("$bin/bare-publisher" "$url" "$queue" "$triggers")
  note batch_bare_rate "$(calc "$triggers / $(value seconds "$result")")"
  note batch_bare_cpu "$(calc "$(value cpu_us "$result") / $triggers")"
  expect_in_queue "$queue" "$triggers"
  drop_queue "$queue"
}

batch_round() {
  local format
  batch_tower array
  batch_bare
  batch_tower ndjson
  for format in array ndjson; do
    note "batch_${format}_ratio" "$(calc "$(last "batch_${format}_rate") / $(last batch_bare_rate)")"
  done
}

batch_report() {
  local format
  for format in array ndjson; do
    heading "(b) $triggers triggers in batches of 1000, $format" "bare publisher"
    row "confirmed a second" 0 "batch_${format}_rate" batch_bare_rate
    row "accepted a second" 0 "batch_${format}_accepted"
    row "CPU a trigger, us" 1 "batch_${format}_cpu" batch_bare_cpu
    row "peak memory, MiB" 1 "batch_${format}_memory"
    target_row "CPU a trigger" "batch_${format}_cpu" '<=' 8 1
    ratio_row "ratio of confirmed a second" "batch_${format}_ratio" 0.95
  done
}
