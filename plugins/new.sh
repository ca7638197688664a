#!/bin/sh
# Writes a plugin to begin with: a watcher that runs, its README, and a first test that passes.
#
#   plugins/new.sh NAME      from the top folder; `make new-plugin NAME=…` does that
set -eu

refuse() {
  echo "new-plugin: $1" >&2
  exit 2
}

name=${1:-}
[ $# -eq 1 ] && [ -n "$name" ] || refuse "needs a name: make new-plugin NAME=plate-reader"
case $name in
  *[!a-z0-9-]* | [!a-z]* | *- | *--*)
    refuse "a plugin's name is lower case letters, digits and single dashes, and begins with a letter: \"$name\"" ;;
esac
[ ${#name} -le 30 ] || refuse "a plugin's name has at most 30 characters: \"$name\""
[ "$name" != http ] || refuse "the name http is taken by the HTTP API"
[ -d plugins ] && [ -d test/plugins ] || refuse "there are no folders plugins and test/plugins here; run it in the top folder"
for folder in "plugins/$name" "test/plugins/$name"; do
  [ ! -e "$folder" ] || refuse "$folder is already there"
done

file=$(echo "$name" | tr - _)  # plate_reader
variable=$(echo "$file" | tr '[:lower:]' '[:upper:]')
class=$(echo "$name" | awk -F- '{ for (i = 1; i <= NF; ++i) printf "%s", toupper(substr($i, 1, 1)) substr($i, 2) }')Watcher

fill() { sed -e "s/@NAME@/$name/g" -e "s/@VARIABLE@/$variable/g" -e "s/@CLASS@/$class/g"; }

# The first line of a test, broken where it would be too long.
test_case() {
  line="TEST_CASE(\"$1\", \"[$name]\") {"
  if [ ${#line} -le 100 ]; then echo "$line"; else printf 'TEST_CASE("%s",\n          "[%s]") {\n' "$1" "$name"; fi
}

mkdir "plugins/$name" "test/plugins/$name"

fill > "plugins/$name/watcher.cpp" << 'END'
#include "core/watch/watcher.h"

#include <chrono>
#include <string>

namespace tower {
namespace {

// Polls its source at an interval. A counter stands in for the source: each poll finds one event, the
// next number.
class @CLASS@ final : public Watcher {
 public:
  static void Declare(OptionSet& options, @CLASS@& self) {
    options.Add("every", &self.every_, "Time between two polls of the source.")
        .Range(10, 86'400'000);
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    auto last = tower.queue.Recall(kLast);
    if (!last) return last.error();
    std::string id = last->value_or("0");
    do {
      id = std::to_string(std::stoll(id) + 1);
      if (auto taken = Take(tower, id); !taken) return taken;
    } while (tower.Sleep(every_, stop));
    return Ok();
  }

 private:
  static constexpr const char* kLast = "last";  // in the checkpoint: the event taken last

  // The event's id is the key under which it is put, and what is remembered goes to disk in the
  // same transaction: a crash neither loses an event nor takes one twice.
  static Status Take(WatcherContext& tower, const std::string& id) {
    const auto trigger = Trigger::Parse(
        R"({"apiVersion": "Example/v1", "protocol": "Count", "spec": {"number": )" + id + "}}");
    if (!trigger) {
      tower.log.Warn("event rejected", {{"event", id}, {"error", Describe(trigger.error())}});
      tower.notes.Reject("event " + id + ": " + Describe(trigger.error()));
      return Ok();
    }
    const CheckpointChange last{kLast, id};
    return tower.queue.Put(*trigger, {.key = id, .remember = {&last, 1}});
  }

  std::chrono::milliseconds every_{60'000};
};

REGISTER_WATCHER(@CLASS@, "@NAME@",
                 "Polls a source at an interval; so far it counts instead.");

}  // namespace
}  // namespace tower
END

fill > "plugins/$name/README.md" << 'END'
# `@NAME@`

## What it does

Polls a source at an interval. So far it counts: each poll finds one event, the next number.

## An event and the trigger it becomes

An event is a number. So the third one becomes

```json
{"apiVersion": "Example/v1", "protocol": "Count", "spec": {"number": 3}}
```

with a `uuid`, and the header `source: @NAME@` (the watcher's name). The number is the event's key, and the last one is remembered in the same
transaction as its trigger: after a crash counting goes on where it was.

## Options

For a watcher of this name; `--plugin second=@NAME@` has `--plugin.second.every` and `PLUGIN_SECOND_EVERY`.

| option | variable | default | meaning |
|---|---|---|---|
| `--plugin.@NAME@.every` | `PLUGIN_@VARIABLE@_EVERY` | `1m` | Time between two polls of the source. (a duration such as 500ms, 10s, 5m or 7d, from 10ms to 1d) |

## Example

```sh
control-tower --plugin @NAME@ --plugin.@NAME@.every 10s
```

```toml
plugins = ["@NAME@"]

[plugin.@NAME@]
every = "10s"
```

## What happens when it fails

| what | then |
|---|---|
| an event is not a valid trigger | one warning with its number; counted in `triggers_rejected_total`; the next one is taken |
| the queue is full | waits |
| the queue's disk fails | the watcher backs off and tries again, from the last event that was taken |
END

{
  cat << 'END'
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

END
  test_case "$name goes on where it was after a restart"
  cat << 'END'
  TestQueue queue;
  const WatcherHarness::Options options = {{"every", {"1d"}}};
  for (const std::string number : {"1", "2"}) {
    WatcherHarness watcher(queue, "@NAME@", options);
    watcher.Start();
    const auto taken = queue.Take(1);
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].source == "test");
    CHECK_THAT(taken[0].body, ContainsSubstring("\"number\": " + number + "}"));
    CHECK(watcher.Stop());
    CHECK(queue.Empty());
    queue.Reopen();
  }
}

END
  test_case "$name takes no interval that would keep a machine busy"
  cat << 'END'
  TestQueue queue;
  CHECK_THROWS(WatcherHarness(queue, "@NAME@", {{"every", {"1ms"}}}));
}

}  // namespace
}  // namespace tower
END
} | fill > "test/plugins/$name/${file}_test.cpp"

cat << END
plugins/$name/watcher.cpp
  reads the source: begin here; plugins/README.md is the reference, core/watch/watcher.h the contract
plugins/$name/README.md
  its table of options is what control-tower plugins $name --markdown prints
test/plugins/$name/${file}_test.cpp
  runs it on a real queue

Build and run it; nothing else is to be edited:

  make build-tests && build/release/unit-tests "[$name]"
  build/control-tower --broker stdout --plugin $name --plugin.$name.every 1s

Then a row in the table of plugins in README.md, and a line in CHANGELOG.md. make lint checks the style.
END
