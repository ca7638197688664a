// What those who run control-tower ask: /, /livez, /readyz, /healthz, /version, /metrics,
// /watchers. Where there are tokens, those that need none tell no details without one.
#ifndef CORE_API_OPS_API_H_
#define CORE_API_OPS_API_H_

#include <functional>
#include <string>
#include <vector>

#include "core/base/metrics.h"
#include "core/http/server.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "core/watch/supervisor.h"

namespace tower {

// One thing that must hold for triggers to flow.
struct ReadinessCheck {
  std::string name;
  std::string why;        // it does not hold; empty when it does
  std::string note = {};  // what an operator should see to though it holds; for ?verbose
};

// Ready: the queue takes triggers, the broker is connected and lets itself be published to, and
// every watcher runs.
std::vector<ReadinessCheck> CheckReadiness(const QueueStats& queue, const PublisherState& publisher,
                                           const std::vector<WatcherStatus>& watchers);

// Called at requests, from several threads at once.
struct OpsSources {
  std::function<std::vector<ReadinessCheck>()> readiness;
  std::function<std::vector<WatcherStatus>()> watchers;
  std::function<PublisherState()> publisher;
};

// Adds the routes. Before the server starts; `metrics` and what `sources` refers to outlive it.
void AddOpsApi(HttpServer& server, OpsSources sources, const Metrics& metrics);

}  // namespace tower

#endif  // CORE_API_OPS_API_H_
