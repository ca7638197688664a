#include "core/watch/watcher.h"

#include <chrono>
#include <random>
#include <string_view>

#include "core/http_client/client.h"
#include "core/watch/mapping.h"
#include "plugins/poll/ledger.h"
#include "plugins/poll/scan.h"
#include "plugins/poll/settings.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class PollWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, PollWatcher& self) {
    self.settings_.Declare(options);
    self.mapping_.Declare(options);
    options.CheckWorld({"url"}, [&self]() -> Status {
      auto client = self.NewClient();
      return client ? Ok() : Status(client.error());
    });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([&tower](std::string_view line) {
      tower.log.Info("map output", {{"text", line}});
    });
    if (auto loaded = mapping_.Load(); !loaded) return loaded;
    auto client = NewClient();
    if (!client) return client.error();
    auto ledger = poll::Ledger::Load(tower.queue);
    if (!ledger) return ledger.error();
    if (not_before_ > steady_clock::now()) {
      const auto wait = Until(not_before_);
      tower.notes.Retrying(
          {{"the service", "the service asked to wait (Retry-After)", WallNow() + wait}});
      if (!WatcherContext::Sleep(wait, stop)) return Ok();
      tower.notes.Retrying({});
    }
    do {
      poll::RetryAfter retry_after;
      poll::Scan scan(tower, settings_, mapping_, **client, *ledger, memory_);
      auto scanned = scan.Run(stop, retry_after);
      if (retry_after) not_before_ = steady_clock::now() + *retry_after;
      if (!scanned) return scanned;
    } while (WatcherContext::Sleep(settings_.NextInterval(random_), stop));
    return Ok();
  }

  Mapping* mapping() override { return &mapping_; }
  bool Connects() const override { return true; }

 private:
  Result<std::unique_ptr<HttpClient>> NewClient() const {
    return HttpClient::Make(settings_.url,
                            {.timeout = settings_.timeout, .max_body = settings_.max_body.bytes});
  }

  static milliseconds Until(steady_clock::time_point time) {
    return std::max(std::chrono::ceil<milliseconds>(time - steady_clock::now()), milliseconds(0));
  }

  poll::Settings settings_;
  Mapping mapping_;
  // Used by Run.
  poll::Memory memory_;
  steady_clock::time_point not_before_{};
  std::minstd_rand random_{std::random_device{}()};
};

REGISTER_WATCHER(PollWatcher, "poll",
                 "Polls a JSON API and turns what is new or changed into triggers.");

}  // namespace
}  // namespace tower
