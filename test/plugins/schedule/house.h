// A schedule that runs by a clock of the test's own, on the test's thread.
#ifndef TEST_PLUGINS_SCHEDULE_HOUSE_H_
#define TEST_PLUGINS_SCHEDULE_HOUSE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/metrics.h"
#include "plugins/schedule/session.h"
#include "test/support/watcher_harness.h"

namespace tower::schedule {

inline Instant TimeOf(std::string_view text) {
  const auto time = ParseTime(text);
  if (!time) throw std::runtime_error("no time: " + std::string(text));
  return time->In(Zone());
}

// Waiting takes no time. Stops the session where the test's time ends.
class FakeClock final : public Clock {
 public:
  Instant Now() override { return now; }
  bool Wait(std::optional<Instant> until, const std::stop_token&) override {
    ++waits;
    const bool ends = !until || *until > end;
    const auto next = ends ? end : *until;
    const auto set = sets.upper_bound(now);
    if (set != sets.end() && set->first <= next) {
      now = set->second;
      sets.erase(set);
      return true;
    }
    now = std::max(now, next);
    return !ends;
  }

  Instant now, end;
  std::map<Instant, Instant> sets;  // when it shows this, somebody sets it to that
  int waits = 0;
};

// The watcher "lab" and its queue, through any number of lives.
class House {
 public:
  using Options = std::vector<std::pair<std::string, std::string>>;

  // Runs a life of the watcher with these options from a moment to another.
  Status Run(const Options& options, std::string_view from, std::string_view to) {
    Settings settings;
    OptionSet set("plugin.lab");
    settings.Declare(set);
    for (const auto& [name, value] : options) Set(set, name, value);
    if (const auto faults = set.Faults({}, false); !faults.empty()) return faults.front();
    auto zone = settings.LoadZone();
    if (!zone) return zone.error();
    if (auto loaded = settings.mapping.Load(); !loaded) return loaded;
    clock.now = TimeOf(from);
    clock.end = TimeOf(to);
    WatcherContext context{
        .name = "lab",
        .queue = WatcherQueue(*queue, "lab", {}, notes, [this] { OnSuccess(); }),
        .log = Logger().With({{"watcher", "lab"}}),
        .notes = notes,
        .hooks = hooks,
    };
    return Session(context, settings, *std::move(zone), clock).Run({});
  }

  // The times that fired since the last call, in UTC, and when they did where that is another one.
  std::string Fired() { return std::exchange(fired_, {}); }

  // How many triggers there are that were not taken yet.
  int Count() {
    int count = 0;
    while (true) {
      const auto some = queue->TryTake(1000);
      if (!some || some->empty()) return count;
      std::vector<Outcome> outcomes;
      for (const auto& trigger : *some) outcomes.push_back({.seq = trigger.seq});
      queue->Settle(outcomes);
      count += static_cast<int>(some->size());
    }
  }

  TestQueue queue;
  FakeClock clock;
  Counter accepted, rejected;
  WatcherNotes notes{accepted, rejected};
  Hooks hooks;
  std::function<void()> on_fire;  // once a trigger is on disk

 private:
  void OnSuccess() {
    if (accepted.value() == known_) return;
    known_ = accepted.value();
    const auto checkpoint = Decode(queue->Checkpoint("lab", "schedule").value().value());
    const auto time = checkpoint.value().until;
    fired_.append(fired_.empty() ? "" : " ").append(FormatTime(time).substr(5));
    if (time != clock.now) fired_.append(" at ").append(FormatTime(clock.now).substr(5));
    if (on_fire) on_fire();
  }

  static void Set(OptionSet& set, const std::string& name, const std::string& value) {
    for (auto& option : set.all()) {
      if (option.name() != set.prefix() + "." + name) continue;
      std::vector<std::string> values{value};
      if (option.list()) {
        values.clear();
        for (std::size_t at = 0; at <= value.size();) {
          const auto comma = std::min(value.find(',', at), value.size());
          values.push_back(value.substr(at, comma - at));
          at = comma + 1;
        }
      }
      if (auto done = option.Set(values); !done) throw std::runtime_error(done.error().message);
      return;
    }
    throw std::runtime_error("no option " + name);
  }

  std::uint64_t known_ = 0;
  std::string fired_;
};

}  // namespace tower::schedule

#endif  // TEST_PLUGINS_SCHEDULE_HOUSE_H_
