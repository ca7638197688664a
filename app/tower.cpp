#include "app/tower.h"

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <utility>

#include "core/api/trigger_api.h"
#include "core/base/build_info.h"
#include "core/publish/amqp_broker.h"
#include "core/publish/stdout_broker.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::unique_ptr<Broker> MakeBroker(const Settings& settings) {
  if (settings.broker == "stdout") return std::make_unique<StdoutBroker>();
  return std::make_unique<AmqpBroker>(settings.amqp);
}

milliseconds Until(steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  return std::max(left, milliseconds(0));
}

}  // namespace

Status TryBroker(const Settings& settings) {
  const auto broker = MakeBroker(settings);
  auto connected = broker->Connect({});
  broker->Close();
  return connected;
}

Tower::Tower(Setup& setup, std::function<void()> on_failure)
    : setup_(setup), on_failure_(std::move(on_failure)) {
  const auto& build = GetBuildInfo();
  metrics_
      .GetGauge("build_info", "What this binary was built from; always 1.",
                {{"version", std::string(build.version)}, {"commit", std::string(build.commit)}})
      .Set(1);
}

Tower::~Tower() { Stop(); }

Status Tower::Start() {
  const auto& settings = setup_.settings;
  const auto began = steady_clock::now();
  for (const auto& warning : setup_.Warnings()) log_.Warn(kUnwise, {{"error", warning}});
  auto queue = TriggerQueue::Open(settings.queue, log_, metrics_);
  if (!queue) return queue.error();
  queue_ = std::move(*queue);
  auto options = settings.publisher;
  options.exchange = settings.broker == "stdout" ? "" : settings.amqp.exchange;
  publisher_ = std::make_unique<Publisher>(*queue_, MakeBroker(settings), options, log_, metrics_);
  publisher_->Start();
  StartWatchers();
  if (auto started = StartHttp(); !started) return started;

  const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began).count();
  log_.Info("listening", {{"version", GetBuildInfo().version},
                          {"host", settings.http.host},
                          {"port", port()},
                          {"broker", settings.broker},
                          {"queue", settings.queue.path},
                          {"queued", queue_->Stats().depth},
                          {"watchers", setup_.watchers.size()},
                          {"took_ms", took}});
  began_ = began;
  return Ok();
}

bool Tower::RecordReadiness() {
  const auto checks = Readiness();
  const bool ready = std::all_of(checks.begin(), checks.end(),
                                 [](const auto& check) { return check.why.empty(); });
  if (ready && !was_ready_) {
    log_.Info("ready",
              {{"after_ms",
                std::chrono::duration_cast<milliseconds>(steady_clock::now() - began_).count()}});
  }
  was_ready_ = ready;
  return ready;
}

std::vector<ReadinessCheck> Tower::Readiness() const {
  return CheckReadiness(queue_->Stats(), publisher_->State(), supervisor_->States());
}

void Tower::StartWatchers() {
  supervisor_ =
      std::make_unique<Supervisor>(*queue_, hooks_, setup_.settings.supervisor, log_, metrics_,
                                   [this](const WatcherStatus&) { on_failure_(); });
  reloader_ = std::make_unique<Reloader>(setup_, *supervisor_, log_, metrics_);
  for (auto& watcher : setup_.watchers) {
    supervisor_->Add(watcher.name, std::string(watcher.kind->name()), std::move(watcher.watcher));
  }
  supervisor_->Start();
}

Status Tower::StartHttp() {
  http_ = std::make_unique<HttpServer>(setup_.settings.http, log_, metrics_);
  const auto lookups = std::make_shared<Lookups>();
  AddTriggerApi(*http_, *queue_, metrics_, lookups);
  AddHookRoutes(*http_, hooks_);
  AddOpsApi(*http_,
            {.readiness = [this] { return Readiness(); },
             .watchers = [this] { return supervisor_->States(); },
             .publisher = [this] { return publisher_->State(); }},
            metrics_, lookups);
  return http_->Start();
}

void Tower::Reload(const std::function<Configured()>& configure) {
  if (auto read = http_->ReloadTokens(); !read) {
    log_.Error("tokens refused; the old ones stay in effect", {{"error", read.error()}});
  }
  reloader_->Reload(configure);
}

void Tower::Stop() {
  if (queue_ == nullptr) return;
  const auto grace = setup_.settings.shutdown_grace;
  const auto deadline = steady_clock::now() + grace;
  log_.Info("stopping", {{"queued", queue_->Stats().depth}});
  if (http_) http_->Drain(grace / 2);  // health checks are still answered
  if (supervisor_) supervisor_->Stop();
  if (publisher_) publisher_->Stop(Until(deadline));
  if (http_) http_->Stop();
  const auto left = queue_->Stats().depth;
  queue_->Close();

  http_.reset();
  reloader_.reset();
  supervisor_.reset();
  publisher_.reset();
  queue_.reset();
  log_.Info("stopped", {{"queued", left}});
}

}  // namespace tower
