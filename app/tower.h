// The tower owns all parts and defines the order in which they start and stop.
#ifndef APP_TOWER_H_
#define APP_TOWER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "app/reload.h"
#include "app/settings.h"
#include "core/api/ops_api.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/result.h"
#include "core/http/server.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "core/watch/hooks.h"
#include "core/watch/supervisor.h"

namespace tower {

// Connects to the broker as a run does, including exchange and queue, and disconnects.
Status TryBroker(const Settings& settings);

// Used by one thread.
class Tower {
 public:
  // If supervisor.exit-on-failure is set, `on_failure` is called on the thread of a watcher that
  // failed permanently.
  Tower(Setup& setup, std::function<void()> on_failure);
  ~Tower();  // Stop()
  Tower(const Tower&) = delete;
  Tower& operator=(const Tower&) = delete;

  // Starts queue, publisher, watchers and HTTP, in this order. After an error, Stop stops the parts
  // that run.
  Status Start();

  // Applies a new configuration (app/reload.h). Always reloads the HTTP tokens, even if the
  // configuration has errors, so that revoked tokens are refused. To be called after Start.
  void Reload(const std::function<Configured()>& configure);

  // Whether /readyz answers 200. Logs it when this becomes true.
  bool RecordReadiness();

  // Stops in this order: /readyz answers 503 and HTTP finishes the requests in progress; the
  // watchers stop; the publisher drains until shutdown.grace has passed; HTTP stops; the queue
  // closes. Idempotent.
  void Stop();

  int port() const noexcept { return http_->port(); }  // HTTP port; valid after Start

 private:
  std::vector<ReadinessCheck> Readiness() const;
  Status StartHttp();
  void StartWatchers();

  Setup& setup_;
  const std::function<void()> on_failure_;
  const Logger log_;
  std::chrono::steady_clock::time_point began_{};
  bool was_ready_ = false;
  Metrics metrics_;  // outlives all parts
  Hooks hooks_;      // outlives watchers and HTTP
  std::unique_ptr<TriggerQueue> queue_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tower

#endif  // APP_TOWER_H_
