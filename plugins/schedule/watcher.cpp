#include "core/watch/watcher.h"

#include <algorithm>
#include <utility>

#include "plugins/schedule/session.h"
#include "plugins/schedule/settings.h"

namespace tower {
namespace {

using schedule::Instant;
using std::chrono::milliseconds;

class SystemClock final : public schedule::Clock {
 public:
  Instant Now() override {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  }
  bool Wait(std::optional<Instant> until, const std::stop_token& stop) override {
    // Changes of the clock, and sleep of the machine, are detected after this time.
    constexpr milliseconds kMaxWait = std::chrono::seconds(5);
    const auto time = until ? std::min(*until - Now(), kMaxWait) : kMaxWait;
    return WatcherContext::Sleep(std::max(time, milliseconds(1)), stop);
  }
};

class ScheduleWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, ScheduleWatcher& self) {
    self.settings_.Declare(options);
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    auto zone = settings_.LoadZone();
    if (!zone) return zone.error();
    settings_.mapping.OnPrint([&tower](std::string_view line) {
      tower.log.Info("map output", {{"text", line}});
    });
    if (auto loaded = settings_.mapping.Load(); !loaded) return loaded;
    SystemClock clock;
    return schedule::Session(tower, settings_, *std::move(zone), clock).Run(stop);
  }

  Mapping* mapping() override { return &settings_.mapping; }

 private:
  schedule::Settings settings_;
};

REGISTER_WATCHER(ScheduleWatcher, "schedule",
                 "Fires a trigger at set times: by cron, at an interval, or at dates.");

}  // namespace
}  // namespace tower
