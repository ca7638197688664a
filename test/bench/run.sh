#!/bin/bash
# Measures control-tower, on a RabbitMQ of its own that is stopped at the end whatever happens. README.md here says how to
# read the tables.
#
#   run.sh      settings in the environment: BENCH_CASES ("post batch"; also growth, start, instructions, peers),
#               BENCH_ROUNDS (3), BENCH_SECONDS (6) of each load, BENCH_TRIGGERS (150000, in thousands) of each load that
#               is a number of triggers, BENCH_BACKLOG (1000000, in thousands), BENCH_QUEUE (quorum, or classic),
#               BENCH_FILES (build/bench), the folder of the queue's file, BENCH_BUILD (build/release, configured),
#               BENCH_TOWER (build/control-tower)
#
# The exit code is 1 when a run failed, whatever the figures are.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cases=${BENCH_CASES:-post batch} rounds=${BENCH_ROUNDS:-3} seconds=${BENCH_SECONDS:-6}
triggers=${BENCH_TRIGGERS:-150000} backlog=${BENCH_BACKLOG:-1000000} queue_type=${BENCH_QUEUE:-quorum}
build=${BENCH_BUILD:-build/release} tower=${BENCH_TOWER:-build/control-tower}

dir=$PWD/build/bench files=${BENCH_FILES:-$PWD/build/bench} node=$PWD/build/rabbitmq-bench rabbitmq=test/support/rabbitmq.sh
bin=$build/bench cores=$(nproc) disturbed=0
. "$here/lib.sh"
for count in "$triggers" "$backlog"; do
  [[ $count =~ ^[1-9][0-9]*000$ ]] || die "BENCH_TRIGGERS and BENCH_BACKLOG are multiples of 1000, not $count"
done
for case in $cases; do
  [ -f "$here/case_$case.sh" ] || die "there is no case '$case'"
  . "$here/case_$case.sh"
done

processor() {
  local model
  model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
  echo "$cores cores, ${model:-$(uname -m)}"
}

rabbitmq_version() {
  dpkg-query --show --showformat='${Version}' rabbitmq-server 2>/dev/null || echo "of unknown version"
}

machine() {
  echo "$(date -u +%F), $(processor), RabbitMQ $(rabbitmq_version), $("$tower" --version | head -n 1)"
}

report() {
  local case
  machine
  echo "the queue's file is on $(stat --file-system --format=%T "$files")"
  echo "rounds: $rounds, in each control-tower and then the baseline; medians, and for ratios every round"
  for case in $cases; do "${case}_report"; done
  [ "$disturbed" -eq 0 ] || printf '\nThe machine was busy with something else before %d runs.\n' "$disturbed"
}

[ -x "$tower" ] || die "$tower is missing (make build)"
cmake --build "$build" --target bench
mkdir -p "$dir" "$files"
rm -rf "$node"
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$rabbitmq" "$node" start >&2
url=$("$rabbitmq" "$node" url)
tower_url=$url

for case in $cases; do
  if declare -F "${case}_prepare" >/dev/null; then
    say "preparing $case"
    "${case}_prepare"
  fi
done
for ((round = 1; round <= rounds; ++round)); do
  for case in $cases; do
    say "round $round of $rounds: $case"
    "${case}_round"
  done
done
report | tee "$dir/latest.txt"
