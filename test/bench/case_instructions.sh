# (e) Instructions a trigger in user space, of the whole process, counted by callgrind: the difference of a run with twice
# as many triggers and one with as many, so that start and end do not count. Hardly depends on what else the machine does,
# as long as what is accepted stays in memory until it is published: 2N is less than the 8192 rows that do.

instructions_queue=bench.instructions
instructions_posts=${BENCH_INSTRUCTION_POSTS:-4000} instructions_batched=${BENCH_INSTRUCTION_BATCHED:-4000}

# With symbols, where there is such a binary.
instructions_program() {
  if [ -z "${BENCH_TOWER:-}" ] && [ -x "$build/control-tower" ]; then echo "$build/control-tower"; else echo "$tower"; fi
}

# Sets counted. Nobody asks for metrics meanwhile: the process ends once all is published.
counted=0
instructions_of() {  # NAME COUNT SIZE CONNECTIONS
  local out=$dir/callgrind.$1
  rm -f "$out"*
  make_queue "$instructions_queue" "$queue_type"
  tower_runner=(valgrind --tool=callgrind --callgrind-out-file="$out" --log-file="$dir/valgrind.log")
  tower_program=$(instructions_program)
  start_tower "$instructions_queue" --server.request-timeout 10m --shutdown.grace 10m
  tower_runner=() tower_program=$tower
  "$bin/bench-client" "$tower_port" post "$2" "$3" "$4" >/dev/null
  stop_tower
  expect_in_queue "$instructions_queue" "$2"
  drop_queue "$instructions_queue"
  counted=$(awk '/^(summary|totals):/ { sum = $2 } END { printf "%.0f", sum }' "$out")
  [ "$counted" -gt 0 ] || die "callgrind counted nothing, see $dir/valgrind.log"
}

instructions_difference() {  # NAME COUNT SIZE CONNECTIONS
  local single
  instructions_of "$1" "$2" "$3" "$4"
  single=$counted
  instructions_of "$1.twice" "$((2 * $2))" "$3" "$4"
  note "instructions_$1" "$(calc "($counted - $single) / $2" 0)"
  callgrind_annotate "$dir/callgrind.$1.twice" >"$dir/instructions.$1.txt" 2>/dev/null ||
    die "callgrind_annotate failed"
}

instructions_round() {
  instructions_difference post "$instructions_posts" 1 32
  instructions_difference batch "$instructions_batched" 1000 4
}

# The lines of functions begin with a number; the first is the total.
instructions_top() {  # NAME
  awk '/^ *[0-9][0-9,]* +\(/ && !/PROGRAM TOTALS/ && count++ < 15 {
    sub(/ +\[[^]]*\]$/, "")
    print "    " substr($0, 1, 112)
  }' "$dir/instructions.$1.txt"
}

instructions_report() {
  local name
  heading "(e) instructions a trigger, whole process"
  plain_row "single POSTs, 32 connections" instructions_post 0
  plain_row "batches of 1000, 4 connections" instructions_batch 0
  for name in post batch; do
    printf '\n  %s: the most by themselves, start included (all: %s)\n' "$name" "build/bench/instructions.$name.txt"
    instructions_top "$name"
  done
}
