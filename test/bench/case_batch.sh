# (b) Batches of 1000, from the first byte of the first request to the last confirm of a quorum queue, against a bare
# rabbitmq-c publisher that has the messages in memory.

batch_tower() {
  local result cpu queue=bench.batch
  "$bin/bench-queue" "$url" make "$queue" "$queue" quorum
  await_quiet
  start_tower "$queue"
  cpu=$(cpu_us "$tower_pid")
  result=$("$bin/bench-client" "$tower_port" batches "$triggers" 1000 4)
  note_cost batch_tower "$tower_pid" "$cpu" "$triggers"
  note batch_tower_rate "$(calc "$triggers / $(value seconds "$result")")"
  note batch_tower_accepted "$(calc "$triggers / $(value accept_seconds "$result")")"
  stop_tower
  expect_in_queue "$queue" "$triggers"
  "$bin/bench-queue" "$url" drop "$queue" "$queue"
}

batch_bare() {
  local result queue=bench.batch
  "$bin/bench-queue" "$url" make "$queue" "$queue" quorum
  await_quiet
  result=$("$bin/bare-publisher" "$url" "$queue" "$triggers")
  note batch_bare_rate "$(calc "$triggers / $(value seconds "$result")")"
  note batch_bare_cpu "$(calc "$(value cpu_us "$result") / $triggers")"
  expect_in_queue "$queue" "$triggers"
  "$bin/bench-queue" "$url" drop "$queue" "$queue"
}

batch_round() {
  batch_tower
  batch_bare
  note batch_ratio "$(calc "$(last batch_tower_rate) / $(last batch_bare_rate)")"
}

batch_report() {
  heading "(b) $triggers triggers in batches of 1000, quorum queue" "bare publisher"
  row "confirmed a second" 0 batch_tower_rate batch_bare_rate
  row "accepted a second" 0 batch_tower_accepted
  row "CPU a trigger, us" 1 batch_tower_cpu batch_bare_cpu
  row "peak memory, MiB" 1 batch_tower_memory
  ratio_row "ratio of confirmed a second" batch_ratio 0.85
}
