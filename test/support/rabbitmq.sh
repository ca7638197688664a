#!/bin/bash
# A private RabbitMQ node from the distribution's rabbitmq-server, for trying things out and for tests.
#
#   rabbitmq.sh DIR start [PORT]   starts the node and waits until it answers; nothing to do when it runs. Listens on PORT
#                                  when that is free, else on a free one; after a stop on the same port as before
#   rabbitmq.sh DIR stop           stops it in order (what is durable stays in DIR for the next start)
#   rabbitmq.sh DIR kill           the same by SIGKILL
#   rabbitmq.sh DIR status         says whether it runs; exit code 0 when it does
#   rabbitmq.sh DIR url            prints amqp://guest:guest@127.0.0.1:PORT/%2f
#   rabbitmq.sh DIR mqtt-port      prints the port for MQTT: there is one when TOWER_RABBITMQ_MQTT was set at the start
#   rabbitmq.sh DIR ctl ARGS...    rabbitmqctl for this node
#   rabbitmq.sh DIR get [QUEUE]    takes the oldest message off QUEUE (default: triggers) and prints its body
#
# Everything is the node's own and lives in DIR: data, logs, cookie, name, ports, even epmd. All of it listens on
# 127.0.0.1 only and runs as the current user. Lines in DIR/extra.conf are added to rabbitmq.conf at start. Nodes that
# are to make a cluster share an epmd: TOWER_EPMD_PORT names its port, and none is started then.
set -euo pipefail

BIN=/usr/lib/rabbitmq/bin  # the wrappers in /usr/sbin insist on being root or the user rabbitmq
DEADLINE=120

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
say() { echo "rabbitmq: $*"; }
die() { echo "rabbitmq: $*" >&2; exit 1; }

[ $# -ge 2 ] || usage
mkdir -p "$1"
dir=$(cd "$1" && pwd)
command=$2
shift 2

amqp_port='' dist_port='' epmd_port='' mqtt_port='' node=''
[ ! -f "$dir/ports" ] || . "$dir/ports"

# True when something accepts connections on the port.
listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Ports below the range that the kernel hands out to clients.
free_port() {
  local port
  while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); do
    listening "$port" || break
  done
  echo "$port"
}

# Sends the protocol header; a broker that is up answers with a method frame, which begins with the byte 1.
answers() {
  local byte=''
  {
    exec 3<>"/dev/tcp/127.0.0.1/$amqp_port" || return 1
    printf 'AMQP\0\0\11\1' >&3
    IFS= read -r -t 5 -n 1 byte <&3 || true
    exec 3>&-
  } 2>/dev/null
  [ "$byte" = $'\1' ]
}

# The pid in DIR/NAME.pid, if that process still is the one that this script started.
pid_of() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  grep -qzxF "HOME=$dir" "/proc/$pid/environ" 2>/dev/null || return 1
  echo "$pid"
}

# Replaces the calling (sub)shell, so that a pid noted for it is the program's own.
exec_in_node_environment() {
  exec env -u RABBITMQ_NODE_PORT -u RABBITMQ_NODE_IP_ADDRESS \
    HOME="$dir" LC_ALL=C.UTF-8 ERL_INETRC="$dir/inetrc" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd_port" \
    RABBITMQ_NODENAME="$node" RABBITMQ_DIST_PORT="$dist_port" RABBITMQ_CONF_ENV_FILE="$dir/rabbitmq-env.conf" \
    RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config" \
    RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/beam.pid" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" RABBITMQ_SCHEDULER_BIND_TYPE=u \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 2:2" \
    RABBITMQ_CTL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" "$@"
}

choose_ports() {  # PREFERRED
  if [ -z "$amqp_port" ]; then
    amqp_port=$1
    node="tower-$$-$RANDOM@localhost"
  fi
  if [ -z "$amqp_port" ] || listening "$amqp_port"; then
    amqp_port=$(free_port)
  fi
  dist_port=$(free_port)
  epmd_port=${TOWER_EPMD_PORT:-$(free_port)}
  mqtt_port=${TOWER_RABBITMQ_MQTT:+$(free_port)}
  printf 'amqp_port=%s\ndist_port=%s\nepmd_port=%s\nmqtt_port=%s\nnode=%s\n' \
    "$amqp_port" "$dist_port" "$epmd_port" "$mqtt_port" "$node" >"$dir/ports"
}

write_configuration() {
  {
    echo "listeners.tcp.local = 127.0.0.1:$amqp_port"
    echo "vm_memory_high_watermark.absolute = 1GB"
    echo "disk_free_limit.absolute = 50MB"
    echo "log.file.level = info"
    [ -z "$mqtt_port" ] || echo "mqtt.listeners.tcp.local = 127.0.0.1:$mqtt_port"
    [ ! -f "$dir/extra.conf" ] || cat "$dir/extra.conf"
  } >"$dir/rabbitmq.conf"
  echo '[].' >"$dir/advanced.config"
  echo "[${mqtt_port:+rabbitmq_mqtt}]." >"$dir/enabled_plugins"
  : >"$dir/rabbitmq-env.conf"
  printf '{host, {127,0,0,1}, ["localhost"]}.\n{lookup, [file, native]}.\n' >"$dir/inetrc"
  mkdir -p "$dir/data" "$dir/log"
}

# Returns 1 when a process ended early, as when another program took one of the ports in the meantime.
launch() {
  local pid epmd waited=0
  cd "$dir"
  if [ -z "${TOWER_EPMD_PORT:-}" ]; then
    exec_in_node_environment setsid epmd -port "$epmd_port" -relaxed_command_check >"$dir/log/epmd.log" 2>&1 </dev/null 9>&- &
    epmd=$!
    echo "$epmd" >"$dir/epmd.pid"
    until listening "$epmd_port"; do
      kill -0 "$epmd" 2>/dev/null || return 1
      sleep 0.05
    done
  fi
  exec_in_node_environment setsid "$BIN/rabbitmq-server" >"$dir/log/output.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid" >"$dir/node.pid"
  until answers; do
    kill -0 "$pid" 2>/dev/null || return 1
    waited=$((waited + 1))
    [ "$waited" -lt $((DEADLINE * 5)) ] || die "no answer within $DEADLINE s, see $dir/log"
    [ $((waited % 25)) -ne 0 ] || say "waiting for the node, $((waited / 5)) s"
    sleep 0.2
  done
}

start() {  # PREFERRED_PORT
  local try
  if pid_of node >/dev/null && answers; then
    say "runs already on 127.0.0.1:$amqp_port"
    return
  fi
  [ -x "$BIN/rabbitmq-server" ] || die "rabbitmq-server is not installed (make deps)"
  finish TERM
  for try in 1 2 3; do
    choose_ports "${1:-}"
    write_configuration
    say "starting a node on 127.0.0.1:$amqp_port"
    if launch; then
      printf 'AMQP_URL=%s\nAMQP_PORT=%s\n' "$(url)" "$amqp_port" >"$dir/env"
      return
    fi
    finish KILL
  done
  tail -n 20 "$dir/log/output.log" >&2
  die "the node did not start, see $dir/log"
}

finish() {  # SIGNAL
  local pid waited=0
  if pid=$(pid_of node); then
    kill "-$1" -- "-$pid" 2>/dev/null || true  # the whole group: a shell waits for Erlang's virtual machine
    while pid_of node >/dev/null || pid_of beam >/dev/null; do
      waited=$((waited + 1))
      [ "$waited" -ne 300 ] || kill -KILL -- "-$pid" 2>/dev/null || true
      sleep 0.1
    done
  fi
  if pid=$(pid_of epmd); then
    kill "$pid" 2>/dev/null || true
  fi
  rm -f "$dir/node.pid" "$dir/epmd.pid" "$dir/beam.pid"
}

url() { echo "amqp://guest:guest@127.0.0.1:$amqp_port/%2f"; }

known() { [ -n "$amqp_port" ] || die "no node in $dir was ever started"; }

# Two callers never start or stop the same node at once.
exec 9>"$dir/.lock"
case $command in
  start) flock 9; start "${1:-}" ;;
  stop) flock 9; finish TERM; say "stopped" ;;
  kill) flock 9; finish KILL; say "killed" ;;
  status)
    if pid_of node >/dev/null && answers; then say "runs on 127.0.0.1:$amqp_port"; else say "stopped"; exit 1; fi ;;
  url) known; url ;;
  mqtt-port) known; echo "$mqtt_port" ;;
  ctl) known; exec_in_node_environment "$BIN/rabbitmqctl" "$@" 9>&- ;;
  get) known; amqp-get --url "$(url)" --queue "${1:-triggers}" ;;
  *) usage ;;
esac
