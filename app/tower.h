// The tower owns every part: what starts when, what stops when, and nothing else.
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

// Connects to the broker as a run would, exchange and queue included, and leaves again.
Status TryBroker(const Settings& settings);

// Used by one thread.
class Tower {
 public:
  // `on_failure` is called from a watcher's thread when a watcher failed for good and
  // supervisor.exit-on-failure is set.
  Tower(Setup& setup, std::function<void()> on_failure);
  ~Tower();  // Stop()
  Tower(const Tower&) = delete;
  Tower& operator=(const Tower&) = delete;

  // Queue, publisher, watchers, HTTP. After an error Stop takes down what is up.
  Status Start();

  // Takes on a new configuration as far as a tower that runs can (app/reload.h), and the tokens of
  // HTTP whatever else is wrong: one that was revoked is not to wait for that. Once started.
  void Reload(const std::function<Configured()>& configure);

  // Whether /readyz says 200; logs when it has come to that.
  bool NoteReadiness();

  // The reverse: readyz says 503 and HTTP finishes what is in flight, watchers stop, the publisher
  // drains until shutdown.grace is over, HTTP ends, the queue closes. Idempotent.
  void Stop();

  int port() const noexcept { return http_->port(); }  // of HTTP, once started

 private:
  std::vector<ReadinessCheck> Readiness() const;
  Status StartHttp();
  void StartWatchers();

  Setup& setup_;
  const std::function<void()> on_failure_;
  const Logger log_;
  std::chrono::steady_clock::time_point began_{};
  bool was_ready_ = false;
  Metrics metrics_;  // outlives whatever counts
  Hooks hooks_;      // outlives watchers and HTTP
  std::unique_ptr<TriggerQueue> queue_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tower

#endif  // APP_TOWER_H_
