# (d) How long a start takes, what an idle process holds, and what one trigger costs in system calls and context switches.

start_queue=bench.start
start_connections=(1 8 32)
start_writes=write,writev,pwrite64,pwritev,pwritev2,send,sendto,sendmsg,sendmmsg
# Only these calls stop the process; all others run at full speed.
start_strace=(strace -D -f --seccomp-bpf -qq -c -U "name,calls" -e "trace=fsync,fdatasync,$start_writes" -o)

start_prepare() {
  rm -f "$dir"/start.strace
  "${start_strace[@]}" "$dir/start.strace" true || die "strace does not work here"
}

# From exec to the first 200 of /readyz, by the queue file that there is. Leaves it running.
start_measured() {  # NAME
  local up
  await_quiet
  launch_tower "$start_queue"
  up=$("$bin/bench-client" "$tower_port" up /readyz 60) || tower_failed "is not ready"
  note "$1_wall_ms" "$(calc "($(value at_us "$up") - $launched_us) / 1000")"
  note "$1_took_ms" "$(took_ms)"
}

start_times() {
  make_queue "$start_queue" "$queue_type"
  rm -f "$files"/queue.db*
  start_measured start_empty
  sleep 1  # nothing to do for a while: that is what is measured
  note start_idle_memory "$(calc "$(awk '/^VmRSS:/ { print $2 }' "/proc/$tower_pid/status") / 1024")"
  end_tower

  launch_tower_away "$start_queue" --shutdown.grace 0s
  "$bin/bench-client" "$tower_port" post 1000 1000 1 >/dev/null
  end_tower_away
  start_measured start_thousand
  await_metric triggers_published_total 1000 60 >/dev/null
  stop_tower
  drop_queue "$start_queue"
}

# Of all threads: they all live from the start to the end.
context_switches() {  # PID
  cat "/proc/$1/task/"*/status | awk '/^(non)?voluntary_ctxt_switches:/ { sum += $2 } END { print sum }'
}

# At full speed. The switches include those of publishing.
start_switches() {  # CONNECTIONS
  local before commits
  make_queue "$start_queue" "$queue_type"
  await_quiet
  start_tower "$start_queue"
  before=$(context_switches "$tower_pid")
  commits=$(metric queue_commit_seconds_count)
  post_to_tower "start_$1" "$1"
  commits=$(($(metric queue_commit_seconds_count) - commits))
  await_metric triggers_published_total "$accepted" 120 >/dev/null
  note "start_$1_switches" "$(calc "($(context_switches "$tower_pid") - $before) / $accepted")"
  note "start_$1_commits" "$(calc "$commits / $accepted")"
  stop_tower
  drop_queue "$start_queue"
}

# Under strace, which makes them slow: so only the number of calls.
start_calls() {  # CONNECTIONS
  local waited=0 calls=$dir/start.strace
  make_queue "$start_queue" "$queue_type"
  rm -f "$calls"
  tower_runner=("${start_strace[@]}" "$calls")
  start_tower "$start_queue"
  tower_runner=()
  post_to_tower start_traced "$1"
  await_metric triggers_published_total "$accepted" 120 >/dev/null
  stop_tower
  until grep -q 'total$\|^total' "$calls" 2>/dev/null; do  # strace writes it after the process has ended
    waited=$((waited + 1))
    [ "$waited" -lt 100 ] || die "strace wrote no counts to $calls"
    sleep 0.1
  done
  note "start_$1_fsyncs" "$(calc "$(calls_of 'f(data)?sync' "$calls") / $accepted")"
  note "start_$1_writes" "$(calc "$(calls_of "${start_writes//,/|}" "$calls") / $accepted")"
  drop_queue "$start_queue"
}

calls_of() { awk -v names="^($1)\$" '$1 ~ names { sum += $2 } END { print sum + 0 }' "$2"; }  # NAMES FILE

start_round() {
  local connections
  start_times
  for connections in "${start_connections[@]}"; do
    start_switches "$connections"
    start_calls "$connections"
  done
}

start_row() {  # WHAT SUFFIX
  local connections
  printf '  %-42s' "$1"
  for connections in "${start_connections[@]}"; do
    printf ' %8s' "$(calc "$(median "start_${connections}_$2")" 3)"
  done
  echo
}

start_report() {
  heading "(d) from exec to ready" "empty" "1000 stored"
  row "/readyz says 200, after ms" 1 start_thousand_wall_ms start_empty_wall_ms
  row "  took_ms in the log: without the broker" 0 start_thousand_took_ms start_empty_took_ms
  row "memory a second later (VmRSS), MiB" 1 start_idle_memory

  printf '\n%-44s %8s %8s %8s\n' "(d) a trigger, by connections" "${start_connections[@]}"
  start_row "fsync and fdatasync" fsyncs
  start_row "write calls, to files and sockets" writes
  start_row "commits, at full speed" commits
  start_row "context switches, at full speed" switches
}
