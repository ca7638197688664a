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

# The law is what CMakeLists.txt says with tower_package and tower_room; configuring wrote it to packages.txt.
includes() {
  sources 'core/*.cpp' 'core/*.h' 'plugins/*.cpp' 'plugins/*.h' 'app/*.cpp' 'app/*.h' 'test/*.cpp' 'test/*.h' |
    xargs -r awk '
    BEGIN {
      third_party["^(rabbitmq-c/|amqp)"] = "rabbitmq"; third_party["^sqlite3"]      = "sqlite"
      third_party["^rapidjson/"]         = "rapidjson"; third_party["^(spdlog|fmt)/"] = "spdlog"
      third_party["^CLI/"]               = "cli11"; third_party["^toml\\+\\+/"]     = "tomlplusplus"
      third_party["^httplib"]            = "httplib"; third_party["^openssl/"]      = "openssl"
      third_party["^tl/"]                = "expected"; third_party["^(lua|lauxlib)"] = "lua"
      third_party["^catch2/"]            = "catch2"
    }
    function refuse(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, header, why; bad = 1 }
    function room_of(file,  parts) {
      split(file, parts, "/")
      return parts[1] == "core" || parts[1] == "plugins" ? parts[1] "/" parts[2] : parts[1]
    }
    FILENAME ~ /packages\.txt$/ { for (i = 3; i <= NF; ++i) law[$1, $2, $i] = 1; next }
    FNR == 1 { room = room_of(FILENAME) }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
      header = $0
      sub(/^[^<"]*[<"]/, "", header)
      sub(/[>"].*/, "", header)
      for (pattern in third_party) {
        library = third_party[pattern]
        if (header !~ pattern || (room == "test" && library != "sqlite") || FILENAME == "test/support/fault_vfs.cpp") continue
        if (!((room, "uses", library) in law)) refuse(room " does not use " library " (CMakeLists.txt)")
      }
      if (header == "app/toml.h" && FILENAME !~ /^(app\/(config_file|toml)|test\/conformance\/.*)\.cpp$/) refuse("costs seconds to compile; app/config_file.h is for others")
      if (room == "test" || $0 !~ /include[ \t]*"/) next
      if (header !~ /^(core|plugins|app)\//) { refuse("write the path from the top folder"); next }
      home = room_of(header)
      if (home == room) next
      split(home, parts, "/")
      if (parts[1] != "core") refuse(parts[1] " is not for " room)
      else if (!((room, "depends", parts[2]) in law)) refuse(room " does not depend on " parts[2] " (CMakeLists.txt)")
      else if (!((home, "public", substr(header, length(home) + 2)) in law)) refuse("is private to " home)
    }
    END { exit bad }' "$build/packages.txt"
}

# A concept has one home: PATTERN (of grep -E), then the files that may have it, then what to use instead.
concepts() {
  local bad=0 pattern homes instead
  while IFS='|' read -r pattern homes instead; do
    if sources 'core/*.cpp' 'core/*.h' 'plugins/*.cpp' 'plugins/*.h' 'app/*.cpp' 'app/*.h' |
      grep -vxE "${homes//<or>/|}" | xargs grep -nE -- "${pattern//<or>/|}"; then
      echo "lint: use $instead" >&2
      bad=1
    fi
  done <<'END'
str(n)?casecmp<or>\btolower *\(|none|EqualsIgnoringCase, ToLower (core/base/encode.h)
0123456789[aA][bB][cC][dD]|core/base/(encode<or>uuid)\.cpp<or>core/json/text\.cpp|HexEncode, PercentEncode (core/base/encode.h)
\beventfd *\(|core/base/wakeup\.(h<or>cpp)|Wakeup, StopEvent (core/base/wakeup.h)
\bstr[fp]time *\(|core/base/time_text\.cpp|TimeText, HttpDate (core/base/time_text.h)
ErrorCode::kConflict.*ErrorCode::kInvalid|core/base/result\.h|Error::of_event() (core/base/result.h)
"Retry-After", "|none|Unavailable (core/http/message.h)
std::ifstream|core/base/process_metrics\.cpp<or>plugins/schedule/time/zone\.cpp|ReadRegularFile, ReadFileOrPipe (core/base/file.h)
class Fd\b<or>struct Fd\b|core/base/file\.h|Fd (core/base/file.h)
experimental/simd|none|standard C++
END
  return "$bad"
}

step "format" format
step "who may include whom" includes
step "one home for each concept" concepts
step "length of files" file_length
step "clang-tidy, length of functions" tidy
exit "$failed"
