#!/bin/bash
# Measures control-tower against bare libraries, on a RabbitMQ of its own that is stopped at the end whatever happens.
# README.md here says how to read the table.
#
#   run.sh      settings in the environment: BENCH_CASES ("post batch"), BENCH_ROUNDS (3), BENCH_SECONDS (6) of load a
#               round, BENCH_TRIGGERS (150000) in batches a round, BENCH_QUEUE (classic, or quorum) for posts,
#               BENCH_BUILD (build/release, configured)
#
# The exit code is 1 when a run failed, whatever the figures are.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cases=${BENCH_CASES:-post batch} rounds=${BENCH_ROUNDS:-3} seconds=${BENCH_SECONDS:-6}
triggers=${BENCH_TRIGGERS:-150000} post_queue=${BENCH_QUEUE:-classic} build=${BENCH_BUILD:-build/release}

dir=$PWD/build/bench node=$PWD/build/rabbitmq-bench rabbitmq=test/support/rabbitmq.sh
bin=$build/bench tower=${BENCH_TOWER:-build/control-tower}
cores=$(nproc) disturbed=0
. "$here/lib.sh"
for case in $cases; do
  [ -f "$here/case_$case.sh" ] || die "there is no case '$case'"
  . "$here/case_$case.sh"
done

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

machine() {
  local model
  model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
  echo "$(date -u +%F), $cores cores, ${model:-$(uname -m)}, RabbitMQ $(dpkg-query --show --showformat='${Version}' \
    rabbitmq-server 2>/dev/null || echo of unknown version), $("$tower" --version | head -n 1)"
}

report() {
  local case
  echo "$(machine)"
  echo "rounds: $rounds, in each control-tower and then the baseline; medians, and for ratios every round"
  for case in $cases; do "${case}_report"; done
  [ "$disturbed" -eq 0 ] || printf '\nThe machine was busy with something else before %d runs.\n' "$disturbed"
}

[ -x "$tower" ] || die "$tower is missing (make build)"
cmake --build "$build" --target bench
mkdir -p "$dir"
rm -rf "$node"
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$rabbitmq" "$node" start >&2
url=$("$rabbitmq" "$node" url)

for ((round = 1; round <= rounds; ++round)); do
  for case in $cases; do
    say "round $round of $rounds: $case"
    "${case}_round"
  done
done
report | tee "$dir/latest.txt"
