#!/bin/bash
# Runs every test of one build against a RabbitMQ of its own, which is stopped at the end whatever happens.
#
#   run_tests.sh BUILD_DIR CONTROL_TOWER [TESTS]    TESTS, as Catch2 takes them, of the integration tests alone
#
# Tests find it in TOWER_TEST_AMQP_URL, its folder for rabbitmq.sh in TOWER_TEST_RABBITMQ_DIR, and the binary in
# TOWER_BINARY. CTEST_ARGS is passed on to ctest, as in: make test CTEST_ARGS='-R publisher'
set -euo pipefail

[ $# -eq 2 ] || [ $# -eq 3 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
build=$1
here=$(cd "$(dirname "$0")" && pwd)
rabbitmq=$PWD/$build/rabbitmq
export TOWER_BINARY=$PWD/$2 TOWER_TEST_RABBITMQ_DIR=$rabbitmq
prefix=()

sanitizer_settings() {
  export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
  export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1
  case $(sed -n 's/^TOWER_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt") in
    address*)  # leaks cannot be looked for under ptrace
      if ! "$build/unit-tests" --list-tags >/dev/null 2>"$build/probe.log"; then
        cat "$build/probe.log" >&2
        grep -q 'LeakSanitizer has encountered a fatal error' "$build/probe.log" || exit 1
        echo "tests: no leak detection here (ptrace)"
        ASAN_OPTIONS+=:detect_leaks=0
      fi
      ;;
    thread)  # where the kernel scatters addresses widely, now and then one is out of this sanitizer's reach
      if setarch -R true 2>/dev/null; then prefix=(setarch -R); fi
      ;;
  esac
}

rm -rf "$rabbitmq"
trap '"$here/rabbitmq.sh" "$rabbitmq" stop' EXIT
"$here/rabbitmq.sh" "$rabbitmq" start
TOWER_TEST_AMQP_URL=$("$here/rabbitmq.sh" "$rabbitmq" url)
export TOWER_TEST_AMQP_URL

sanitizer_settings
if [ -n "${3:-}" ]; then
  "${prefix[@]}" "$build/integration-tests" "$3" --durations yes
  exit
fi
"${prefix[@]}" ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)" ${CTEST_ARGS:-}
