#include "core/watch/watcher.h"

#include <utility>

#include "plugins/riffyn/api.h"
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/session.h"
#include "plugins/riffyn/settings.h"

namespace tower {
namespace {

class RiffynWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, RiffynWatcher& self) {
    self.settings_.Declare(options);
    options.CheckWorld({"url"}, [&self]() -> Status {
      auto client = HttpClient::Make(self.settings_.url, {});
      return client ? Ok() : Status(client.error());
    });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    auto ledger = riffyn::Ledger::Load(tower.queue);
    if (!ledger) return ledger.error();
    auto pool = riffyn::ApiPool::Make(settings_, throttle_, tower.log);
    if (!pool) return pool.error();
    return riffyn::Session(tower, settings_, throttle_, retry_log_, std::move(*ledger),
                           std::move(*pool))
        .Run(stop);
  }

  bool Connects() const override { return true; }

 private:
  riffyn::Settings settings_;
  // Outlast a Run that failed.
  riffyn::Throttle throttle_;
  riffyn::RetryLog retry_log_;
};

REGISTER_WATCHER(RiffynWatcher, "riffyn",
                 "Polls Riffyn Nexus for runs that have started, alone or as wells of a plate.");

}  // namespace
}  // namespace tower
