# What the cases share: processes, counters, figures and the table. Sourced by run.sh.

die() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }

# --- Processes -------------------------------------------------------------------------------------------------------

tower_pid='' bare_pid=''
ticks_a_second=$(getconf CLK_TCK)

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range that the kernel hands out to clients.
free_port() {
  local port
  while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); do
    listening "$port" || break
  done
  echo "$port"
}

# Sets tower_pid and tower_port. A new queue file, and the exchange of QUEUE.
start_tower() {  # QUEUE
  rm -f "$dir"/queue.db*
  tower_port=$(free_port)
  "$tower" --server.port "$tower_port" --queue.path "$dir/queue.db" --amqp.url "$url" --amqp.exchange "$1" \
    >"$dir/control-tower.log" 2>&1 &
  tower_pid=$!
  "$bin/bench-client" "$tower_port" ready 30 || tower_failed "is not ready"
}

tower_failed() {  # HOW
  tail -n 20 "$dir/control-tower.log" >&2
  die "control-tower $1"
}

stop_tower() {
  kill "$tower_pid" 2>/dev/null || true
  wait "$tower_pid" || tower_failed "ended with an error"
  tower_pid=''
  rm -f "$dir"/queue.db*
}

# Sets bare_pid and bare_port.
start_bare_server() {
  local waited=0
  : >"$dir/bare-server.log"
  "$bin/bare-server" >"$dir/bare-server.log" 2>&1 &
  bare_pid=$!
  until bare_port=$(sed -n 's/^port=//p' "$dir/bare-server.log") && [ -n "$bare_port" ]; do
    waited=$((waited + 1))
    [ "$waited" -lt 100 ] || die "bare-server does not start"
    sleep 0.1
  done
}

stop_bare_server() {
  kill "$bare_pid"
  wait "$bare_pid" || true
  bare_pid=''
}

cleanup() {
  local status=$?
  trap - EXIT INT TERM
  [ -z "$tower_pid" ] || kill -KILL "$tower_pid" 2>/dev/null || true
  [ -z "$bare_pid" ] || kill "$bare_pid" 2>/dev/null || true
  "$rabbitmq" "$node" stop >&2 || true
  rm -f "$dir"/queue.db*
  exit "$status"
}

# --- Counters --------------------------------------------------------------------------------------------------------

# User and system time of a process and all its threads, in microseconds.
cpu_us() {  # PID
  local stat
  stat=$(cat "/proc/$1/stat")
  # The name in parentheses may hold anything; behind it, utime and stime are the 12th and 13th fields.
  set -- ${stat##*) }
  echo $(((${12} + ${13}) * (1000000 / ticks_a_second)))
}

peak_kib() { awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"; }  # PID

metric() { "$bin/bench-client" "$tower_port" metric "control_tower_triggers_$1_total"; }

# Waits until the machine has nothing else to do, since the last run may still be tidied up; says so when it never has.
await_quiet() {
  local try idle before
  for try in 1 2 3 4 5 6 7 8 9 10; do
    before=$(idle_ticks)
    sleep 0.5
    idle=$((($(idle_ticks) - before) * 200 / ticks_a_second / cores))
    [ "$idle" -lt 90 ] || return 0
  done
  disturbed=$((disturbed + 1))
}

idle_ticks() { awk '/^cpu / { print $5 + $6; exit }' /proc/stat; }

# --- Figures ---------------------------------------------------------------------------------------------------------

declare -A figures  # name -> one value a round

note() { figures[$1]+=" $2"; }  # NAME VALUE

note_all() {  # PREFIX  key=value lines
  local line
  while read -r line; do
    [[ $line =~ ^([a-z0-9_]+)=([0-9.]+)$ ]] && note "$1_${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  done <<<"$2"
  return 0
}

# The CPU time that each trigger has cost a process, in us, and its peak memory, in MiB.
note_cost() {  # PREFIX  PID  CPU_BEFORE  TRIGGERS
  local cpu kib
  cpu=$(cpu_us "$2")
  kib=$(peak_kib "$2")
  note "$1_cpu" "$(calc "($cpu - $3) / $4")"
  note "$1_memory" "$(calc "$kib / 1024")"
}

# The value of the latest round.
last() { echo "${figures[$1]##* }"; }  # NAME

value() { sed -n "s/^$1=//p" <<<"$2"; }  # KEY  key=value lines

calc() { awk "BEGIN { printf \"%.${2:-3}f\", $1 }"; }  # EXPRESSION [DECIMALS]

median() {  # NAME
  printf '%s\n' ${figures[$1]} | sort -g |
    awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# --- The table -------------------------------------------------------------------------------------------------------

heading() { printf '\n%-44s %13s %10s\n' "$1" control-tower "${2:-}"; }  # WHAT [BASELINE]

# The medians of figures; - for none.
row() {  # WHAT DECIMALS NAME [BASELINE_NAME]
  local ours theirs=''
  ours=$(calc "$(median "$3")" "$2")
  [ -z "${4:-}" ] || theirs=$(calc "$(median "$4")" "$2")
  printf '  %-42s %13s %10s\n' "$1" "$ours" "$theirs"
}

ratio_row() {  # WHAT NAME TARGET
  local middle mark='reaches the target'
  middle=$(median "$2")
  [ "$(calc "($middle >= $3)" 0)" = 1 ] || mark='BELOW THE TARGET'
  printf '  %-42s %13s   target %s: %s; rounds:%s\n' "$1" "$(calc "$middle" 2)" "$3" "$mark" \
    "$(printf ' %.2f' ${figures[$2]})"
}
