#!/bin/bash
# `make test` and `make run` in a bare Debian: minbase plus make, git and ca-certificates. Needs root and debootstrap.
#
#   fresh.sh SUITE [DIR]    SUITE is trixie or bookworm; DIR (default build/fresh/SUITE) is made anew
#
# The root uses the mirror and the apt settings of this machine, its sources as lines in sources.list. It gets the
# committed HEAD, nothing else. What was mounted is unmounted and what was started is stopped at the end, always.
set -euo pipefail

case ${1:-} in trixie | bookworm) suite=$1 ;; *) sed -n '4s/^# *//p' "$0" >&2; exit 2 ;; esac
repository=$(git rev-parse --show-toplevel)
root=$(realpath -m "${2:-$repository/build/fresh/$suite}")
marker=$root/.made-by-test-fresh
runner=''

say() { echo "test-fresh $suite: $*"; }
die() { echo "test-fresh $suite: $*" >&2; exit 1; }

# Of the environment only what leads to the outside goes along.
in_root() {
  chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
    ${http_proxy+http_proxy="$http_proxy"} ${https_proxy+https_proxy="$https_proxy"} \
    ${no_proxy+no_proxy="$no_proxy"} "$@"
}

[ "$(id -u)" -eq 0 ] || die "needs root"
command -v debootstrap >/dev/null || die "needs debootstrap (apt-get install debootstrap)"
[ ! -e "$root" ] || [ -e "$marker" ] || die "$root exists and was not made by this script"

# Ends every process whose root is ours, then unmounts; without that the folder could not be removed safely.
clean_up() {
  local signal process tries=0
  for signal in TERM KILL; do
    for process in /proc/[0-9]*; do
      [ "$(readlink "$process/root" 2>/dev/null)" != "$root" ] || kill "-$signal" "${process#/proc/}" 2>/dev/null || true
    done
    [ "$signal" = KILL ] || sleep 2
  done
  for folder in dev proc; do
    while mountpoint -q "$root/$folder"; do
      umount -R "$root/$folder" 2>/dev/null && continue
      tries=$((tries + 1))
      [ "$tries" -lt 20 ] || die "cannot unmount $root/$folder"
      sleep 0.5
    done
  done
}

make_root() {
  local main security
  main=$("$repository/third_party/mirrors.sh" | grep -v security | head -n 1) || main=''
  [ -n "$main" ] || die "found no Debian mirror in apt's sources"
  security=$("$repository/third_party/mirrors.sh" | grep security | head -n 1) || security=''
  clean_up
  [ ! -e "$root" ] || rm -rf --one-file-system "$root"
  mkdir -p "$root"
  touch "$marker"
  say "debootstrap into $root"
  debootstrap --variant=minbase --include=make,git,ca-certificates "$suite" "$root" "$main" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "debootstrap failed"; }
  {
    echo "deb $main $suite main"
    echo "deb $main $suite-updates main"
    [ -z "$security" ] || echo "deb $security $suite-security main"
  } >"$root/etc/apt/sources.list"
  rm -f "$root"/etc/apt/sources.list.d/*
  # What this machine needs to reach its mirror. Dates are checked as on any Debian, also where this machine does not.
  apt-config dump | grep -E '^Acquire::(https?|ForceIPv)[^ ]* ".+";$' >"$root/etc/apt/apt.conf.d/99host" || true
  cp /etc/resolv.conf "$root/etc/"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  [ ! -d /usr/local/share/ca-certificates ] || cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
  in_root update-ca-certificates >/dev/null 2>&1
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --make-rslave "$root/dev"
  git clone --quiet --no-hardlinks "$repository" "$root/src"
}

# The commands of the README, as a newcomer without curl would follow what `make run` prints.
use_make_run() {
  local try
  in_root bash -c 'cd /src && echo $$ >/tmp/run.pid && exec make run' >"$root/run.log" 2>&1 &
  runner=$!
  for ((try = 0; ; try++)); do
    if in_root bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null; then break; fi
    kill -0 "$runner" 2>/dev/null && [ "$try" -lt 900 ] || { tail -n 30 "$root/run.log" >&2; die "make run did not come up"; }
    sleep 1
  done
  sed -n '/control-tower starts now/,/its arrival/p' "$root/run.log"

  in_root bash -c 'cd /src && cp test/support/example.json build/inbox/ && test/support/post.sh test/support/example.json' \
    >"$root/post.log"
  head -n 1 "$root/post.log"
  grep -q '^HTTP/1.1 202' "$root/post.log" || die "the POST was not answered with 202, see $root/post.log"
  for ((try = 0; ; try++)); do
    in_root bash -c 'cd /src && test/support/rabbitmq.sh build/rabbitmq ctl -q list_queues name messages' >"$root/queues.log"
    if grep -qE '^triggers[[:space:]]+2$' "$root/queues.log"; then break; fi
    [ "$try" -lt 30 ] || { cat "$root/queues.log" >&2; tail -n 30 "$root/run.log" >&2; die "the two triggers did not arrive"; }
    sleep 1
  done
  in_root bash -c 'cd /src && test/support/rabbitmq.sh build/rabbitmq get' | grep -q '"SimpleDilution"' ||
    die "the message is not the trigger"
  say "a file and a POST arrived on the queue"

  # Ctrl-C: the signal goes to make and to control-tower alike.
  kill -INT "$(pgrep_in_root control-tower)"
  for ((try = 0; try < 300; try++)); do
    kill -0 "$runner" 2>/dev/null || break
    sleep 0.1
  done
  wait "$runner" || { tail -n 20 "$root/run.log" >&2; die "make run did not end with 0 after SIGINT"; }
  runner=''
  in_root bash -c 'cd /src && make dependencies-stop'
}

pgrep_in_root() {  # NAME: the process whose program is NAME, inside the root
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root" 2>/dev/null)" = "$root" ] && [ "$(cat "$process/comm" 2>/dev/null)" = "$1" ] || continue
    echo "${process#/proc/}"
    return
  done
  return 1
}

trap clean_up EXIT
make_root
say "make test"
in_root bash -c 'cd /src && make test'
say "make run"
use_make_run
say "passed"
