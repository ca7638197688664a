#!/bin/sh
# Installs the Debian packages that are missing for the given groups, with sudo where not root. Quick when nothing is.
#
#   deps.sh [build] [run] [test] [chaos] [lint] [bench] [bench-start] [bench-instructions] [bench-peers]
set -eu

packages_for() {
  case $1 in
    build)
      echo g++ binutils cmake ninja-build git ca-certificates libssl-dev librabbitmq-dev libsqlite3-dev zlib1g-dev \
        libzstd-dev rapidjson-dev libcli11-dev libtomlplusplus-dev libspdlog-dev libfmt-dev libexpected-dev liblua5.4-dev
      ;;
    run) docker_engine || echo rabbitmq-server amqp-tools ;;
    test)
      echo rabbitmq-server mosquitto-clients python3 tzdata chromium
      node_and_npm
      ;;
    chaos) echo strace util-linux ;;
    lint) echo clang-format clang-tidy ;;
    bench) echo rabbitmq-server wrk ;;
    bench-start) echo strace ;;
    bench-instructions) echo valgrind ;;
    bench-peers)
      echo python3-fastapi python3-uvicorn python3-pika python3-httptools python3-uvloop
      node_and_npm
      ;;
    *) echo "deps: unknown group '$1'" >&2; exit 2 ;;
  esac
}

# Other packages of Node than Debian's have npm in them.
node_and_npm() {
  command -v npm >/dev/null || echo nodejs npm
}

docker_engine() {
  command -v docker >/dev/null && timeout 5 docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

[ $# -gt 0 ] || set -- build run test lint bench
wanted=$(for group; do packages_for "$group"; done)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "deps: this is not a Debian system; if the build fails, install what these Debian packages hold:" $wanted >&2
  exit 0
fi

installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
  sed -n 's/ installed$//p') || true
missing=''
for package in $(printf '%s\n' $wanted | sort -u); do
  printf '%s\n' $installed | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=''
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "deps: please run as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
  }
  as_root=sudo
fi

echo "deps: installing with ${as_root:+sudo }apt-get:$missing"
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }
apt update || echo "deps: apt-get update failed, trying with the package lists there are" >&2
apt install -y --no-install-recommends $missing
