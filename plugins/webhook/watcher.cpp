#include "core/watch/watcher.h"

#include "core/watch/hooks.h"
#include "core/watch/mapping.h"
#include "plugins/webhook/receiver.h"
#include "plugins/webhook/settings.h"

namespace tower {
namespace {

class WebhookWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, WebhookWatcher& self) {
    self.settings_.Declare(options);
    self.mapping_.Declare(options);
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([&tower](std::string_view line) {
      tower.log.Info("map output", {{"text", line}});
    });
    if (auto loaded = mapping_.Load(); !loaded) return loaded;
    webhook::Receiver receiver(tower, settings_, mapping_);
    const auto served = tower.hooks.Serve(
        tower.name,
        {.before_body =
             [&receiver](const HttpRequest& request) { return receiver.BeforeBody(request); },
         .answer = [&receiver](const HttpRequest& request) { return receiver.Answer(request); }});
    tower.log.Info("accepting deliveries",
                   {{"path", "/hooks/" + tower.name}, {"verify", settings_.verify.scheme}});
    tower.ReportSuccess();
    receiver.MapUntil(stop);
    return Ok();
  }

  Mapping* mapping() override { return &mapping_; }
  bool ServesHook() const override { return true; }

 private:
  webhook::Settings settings_;
  Mapping mapping_;
};

REGISTER_WATCHER(WebhookWatcher, "webhook", "Accepts verified webhooks on the server's own port.");

}  // namespace
}  // namespace tower
