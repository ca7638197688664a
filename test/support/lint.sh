#!/bin/bash
# Every rule of style that a machine can check. All are errors; every check runs, then the exit code is 1 if one failed.
#
#   lint.sh BUILD_DIR      (configured: clang-tidy reads its compile_commands.json)
set -uo pipefail

[ $# -eq 1 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
build=$1
failed=0

# Tracked and new files alike; what git ignores is no concern.
sources() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
  [ ! -f "$file" ] || echo "$file"; done; }

step() {  # WHAT  COMMAND...
  local what=$1 began=$SECONDS
  shift
  if "$@"; then
    echo "lint: $what: fine ($((SECONDS - began)) s)"
  else
    echo "lint: $what: FAILED" >&2
    failed=1
  fi
}

format() {
  sources '*.cpp' '*.h' | xargs -r clang-format --dry-run --Werror
}

# Tests are left out: Catch2's macros make their functions look longer than they are.
tidy() {
  sources 'core/*.cpp' 'plugins/*.cpp' 'app/*.cpp' |
    xargs -r -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option 2>&1 |
    grep -vE '^[0-9]+ warnings?.* (generated|treated as error)' | awk '!seen[$0]++'
  [ "${PIPESTATUS[1]}" -eq 0 ]
}

# A warning, no error: a class is never cut because of a length.
file_length() {
  sources '*.cpp' '*.h' | xargs -r wc -l | awk '
    $2 != "total" && $1 > 900 { printf "lint: warning: %s has %d lines\n", $2, $1 }'
}

# third_party <- core <- plugins <- app, and each library behind the files named here.
includes() {
  sources 'core/*.cpp' 'core/*.h' 'plugins/*.cpp' 'plugins/*.h' 'app/*.cpp' 'app/*.h' 'test/*.cpp' 'test/*.h' | xargs -r awk '
    BEGIN {
      only_in["^(rabbitmq-c/|amqp)"] = "^core/amqp/"
      only_in["^sqlite3"]            = "^(core/queue/[a-z_]*|test/support/fault_vfs)\\.cpp$"
      only_in["^rapidjson/"]         = "^core/json/"
      only_in["^(spdlog|fmt)/"]      = "^core/base/log\\.cpp$"
      only_in["^CLI/"]               = "^app/command_line\\.cpp$"
      only_in["^toml\\+\\+/"]        = "^app/toml\\.h$"
      only_in["^app/toml\\.h$"]      = "^app/(config_file|toml)\\.cpp$"
      only_in["^httplib"]            = "^core/http/"
      only_in["^openssl/"]           = "^core/(base|http|http_client|net)/"
      only_in["^tl/"]                = "^core/base/result\\.h$"
      only_in["^(lua|lauxlib)"]      = "^core/lua/"
      only_in["^(test|catch2)/"]     = "^$"
      for_plugins = "^core/(watch/(watcher|mapping|hooks)|trigger/trigger|options/options|base/(result|log|digest|wakeup|time_text)|json/json|http/http|http_client/client|amqp/(amqp|consumer))\\.h$"
    }
    function refuse(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, header, why; bad = 1 }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
      header = $0
      sub(/^[^<"]*[<"]/, "", header)
      sub(/[>"].*/, "", header)
      in_test = FILENAME ~ /^test\//  # which may include what it likes, but for what is hidden behind a helper of its own
      for (library in only_in)
        if (header ~ library && (!in_test || library == "^sqlite3") && FILENAME !~ only_in[library]) refuse("may be included only by " only_in[library])
      split(FILENAME, path, "/")
      room = path[1]
      if (room == "core" && header ~ /^(plugins|app)\//) refuse("core knows neither plugins nor app")
      if (room == "plugins") {
        if (header ~ /^app\//) refuse("a plugin does not know app")
        if (header ~ /^plugins\// && index(header, "plugins/" path[2] "/") != 1) refuse("belongs to another plugin")
        if (header ~ /^core\// && header !~ for_plugins) refuse("is not for plugins")
      }
      if (!in_test && $0 ~ /include[ \t]*"/ && header !~ /^(core|plugins|app)\//) refuse("write the path from the top folder")
    }
    END { exit bad }'
}

step "format" format
step "who may include whom" includes
step "length of files" file_length
step "clang-tidy, length of functions" tidy
exit "$failed"
