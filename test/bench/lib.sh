# What the cases share: processes, counters, figures and the table. Sourced by run.sh.

die() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }

# --- Processes -------------------------------------------------------------------------------------------------------

launched_us=0 tower_pid='' tower_runner=() tower_program=$tower
server_pid='' server_port=''
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

# Sets tower_pid, tower_port and launched_us. With the queue file that there is; "${tower_runner[@]}" starts the program.
# Does not wait.
launch_tower() {  # EXCHANGE [OPTION...]
  local exchange=$1
  shift
  tower_port=$(free_port)
  launched_us=${EPOCHREALTIME/[.,]/}
  "${tower_runner[@]}" "$tower_program" --server.port "$tower_port" --queue.path "$files/queue.db" --amqp.url "$tower_url" \
    --amqp.exchange "$exchange" "$@" >"$dir/control-tower.log" 2>&1 &
  tower_pid=$!
}

# The same where nothing listens at the broker's address, and waits until it takes triggers. (A second --amqp.url would
# be one more server, not another one.)
launch_tower_away() {  # EXCHANGE [OPTION...]
  local tower_url
  tower_url="amqp://guest:guest@127.0.0.1:$(free_port)/%2f"
  launch_tower "$@"
  await_tower /livez
}

# With a new queue file, and waits until it is ready.
start_tower() {  # EXCHANGE [OPTION...]
  rm -f "$files"/queue.db*
  launch_tower "$@"
  await_tower /readyz
}

await_tower() {  # PATH
  "$bin/bench-client" "$tower_port" up "$1" 60 >/dev/null || tower_failed "is not there"
}

# Its own count from the start until it is ready, in milliseconds.
took_ms() { sed -n '/"listening"/s/.*"took_ms":"\{0,1\}\([0-9]*\).*/\1/p' "$dir/control-tower.log"; }

tower_failed() {  # HOW
  tail -n 20 "$dir/control-tower.log" >&2
  die "control-tower $1"
}

# Leaves the queue file.
end_tower() {
  kill "$tower_pid" 2>/dev/null || true
  wait "$tower_pid" || tower_failed "ended with an error"
  tower_pid=''
}

end_tower_away() {
  [ "$(metric broker_connected)" = 0 ] || die "there was a broker where none should be"
  end_tower
}

stop_tower() {
  end_tower
  rm -f "$files"/queue.db*
}

# Another server. Sets server_pid.
start_server() {  # LOG COMMAND...
  local log=$dir/$1
  shift
  : >"$log"
  "$@" >"$log" 2>&1 &
  server_pid=$!
}

# Sets server_port.
start_bare_server() {
  local waited=0
  start_server bare-server.log "$bin/bare-server"
  until server_port=$(sed -n 's/^port=//p' "$dir/bare-server.log") && [ -n "$server_port" ]; do
    waited=$((waited + 1))
    [ "$waited" -lt 100 ] || die "bare-server does not start"
    sleep 0.1
  done
}

stop_server() {
  kill $(family "$server_pid")
  wait "$server_pid" || true
  server_pid=''
}

# A process and all that it has started.
family() {  # PID
  local child
  echo "$1"
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do family "$child"; done
}

cleanup() {
  local status=$?
  trap - EXIT INT TERM
  [ -z "$tower_pid" ] || kill -KILL "$tower_pid" 2>/dev/null || true
  [ -z "$server_pid" ] || kill $(family "$server_pid") 2>/dev/null || true
  "$rabbitmq" "$node" stop >&2 || true
  rm -f "$files"/queue.db* "$files"/backlog.db*
  exit "$status"
}

# --- Counters --------------------------------------------------------------------------------------------------------

# User and system time of processes and all their threads, in microseconds.
cpu_us() {  # PID...
  local pid stat ticks=0
  for pid; do
    stat=$(cat "/proc/$pid/stat")
    # The name in parentheses may hold anything; behind it, utime and stime are the 12th and 13th fields.
    set -- ${stat##*) }
    ticks=$((ticks + ${12} + ${13}))
  done
  echo $((ticks * (1000000 / ticks_a_second)))
}

# The sum of their peaks.
peak_kib() {  # PID...
  local pid
  for pid; do cat "/proc/$pid/status"; done | awk '/^VmHWM:/ { kib += $2 } END { print kib + 0 }'
}

metric() { "$bin/bench-client" "$tower_port" metric "control_tower_$1"; }

await_metric() {  # NAME VALUE SECONDS
  "$bin/bench-client" "$tower_port" await "control_tower_$1" "$2" "$3"
}

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

note() {  # NAME VALUE
  [[ $2 =~ ^[0-9.]+$ ]] || die "$1 is no figure: '$2'"
  figures[$1]+=" $2"
}

note_all() {  # PREFIX  key=value lines
  local line
  while read -r line; do
    [[ $line =~ ^([a-z0-9_]+)=([0-9.]+)$ ]] && note "$1_${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  done <<<"$2"
  return 0
}

# The CPU time that each trigger has cost some processes, in us, and their peak memory, in MiB.
note_cost() {  # PREFIX  CPU_BEFORE  TRIGGERS  PID...
  local prefix=$1 before=$2 count=$3 cpu kib
  shift 3
  cpu=$(cpu_us "$@")
  kib=$(peak_kib "$@")
  note "${prefix}_cpu" "$(calc "($cpu - $before) / $count")"
  note "${prefix}_memory" "$(calc "$kib / 1024")"
}

# The value of the latest round.
last() { echo "${figures[$1]##* }"; }  # NAME

value() { sed -n "s/^$1=//p" <<<"$2"; }  # KEY  key=value lines

calc() { awk "BEGIN { printf \"%.${2:-3}f\", $1 }"; }  # EXPRESSION [DECIMALS]

median() {  # NAME
  printf '%s\n' ${figures[$1]} | sort -g |
    awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# --- Loads -----------------------------------------------------------------------------------------------------------

# Single triggers for BENCH_SECONDS; prints key=value lines.
post_load() {  # PORT CONNECTIONS
  wrk -t1 -c"$2" -d"${seconds}s" --timeout 10s -s "$here/post.lua" "http://127.0.0.1:$1" >"$dir/wrk.log" 2>&1 ||
    { cat "$dir/wrk.log" >&2; die "wrk failed"; }
  local result
  result=$(grep -E '^[a-z0-9_]+=' "$dir/wrk.log") || { cat "$dir/wrk.log" >&2; die "wrk printed no result"; }
  [ "$(value refused "$result")" = 0 ] && [ "$(value broken "$result")" = 0 ] ||
    { cat "$dir/wrk.log" >&2; die "requests failed"; }
  printf '%s\n' "$result"
}

note_load() {  # PREFIX RESULT
  note_all "$1" "$2"
  note "$1_rate" "$(calc "$(value requests "$2") / $(value seconds "$2")")"
}

# The same against control-tower, checked against its own count. Sets accepted, and published: at the end of the load.
accepted=0 published=0
post_to_tower() {  # PREFIX CONNECTIONS
  local result requests before
  before=$(metric triggers_accepted_total)
  result=$(post_load "$tower_port" "$2")
  published=$(metric triggers_published_total)
  accepted=$(($(metric triggers_accepted_total) - before))
  requests=$(value requests "$result")
  # wrk leaves with one request under way on each connection.
  [ "$accepted" -ge "$requests" ] && [ "$accepted" -le $((requests + $2)) ] ||
    die "$requests requests were answered, but $accepted triggers accepted"
  note_load "$1" "$result"
  note "$1_published" "$(calc "$published / $(value seconds "$result")")"
}

make_queue() { "$bin/bench-queue" "$url" make "$1" "$1" "$2"; }  # NAME TYPE
drop_queue() { "$bin/bench-queue" "$url" drop "$1" "$1"; }       # NAME

# At least once: more are allowed, fewer are not.
expect_in_queue() {  # QUEUE COUNT
  local found try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    found=$("$bin/bench-queue" "$url" count "$1")
    [ "$found" -lt "$2" ] || return 0
    sleep 0.5  # a queue's own count may lag behind its confirms
  done
  die "$2 triggers were published, but only $found are in the queue"
}

# --- The table -------------------------------------------------------------------------------------------------------

heading() { printf '\n%-44s %13s %10s\n' "$1" "${3:-control-tower}" "${2:-}"; }  # WHAT [BASELINE [COLUMN]]

# The medians of figures; - for none.
row() {  # WHAT DECIMALS NAME [BASELINE_NAME]
  local ours theirs=''
  ours=$(calc "$(median "$3")" "$2")
  [ -z "${4:-}" ] || theirs=$(calc "$(median "$4")" "$2")
  printf '  %-42s %13s %10s\n' "$1" "$ours" "$theirs"
}

# A figure without baseline, with every round.
plain_row() {  # WHAT NAME DECIMALS
  printf '  %-42s %13s   rounds:%s\n' "$1" "$(calc "$(median "$2")" "$3")" "$(printf " %.$3f" ${figures[$2]})"
}

ratio_row() { target_row "$1" "$2" '>=' "$3" 2; }  # WHAT NAME TARGET

# A figure that a target stands for, with every round.
target_row() {  # WHAT NAME >=|<= TARGET DECIMALS
  local middle mark='reaches the target'
  middle=$(median "$2")
  [ "$(calc "($middle $3 $4)" 0)" = 1 ] || mark='MISSES THE TARGET'
  printf '  %-42s %13s   target %s %s: %s; rounds:%s\n' "$1" "$(calc "$middle" "$5")" "$3" "$4" "$mark" \
    "$(printf " %.$5f" ${figures[$2]})"
}
