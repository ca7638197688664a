// The endpoints for operators: /, /livez, /readyz, /healthz, /version, /metrics, /watchers. If the
// server has tokens, the endpoints that need none give no details without a valid one.
#ifndef CORE_API_OPS_API_H_
#define CORE_API_OPS_API_H_

#include <functional>
#include <string>
#include <vector>

#include "core/api/lookups.h"
#include "core/base/metrics.h"
#include "core/http/server.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "core/watch/supervisor.h"

namespace tower {

// A condition for readiness.
struct ReadinessCheck {
  std::string name;
  std::string why;        // why the condition is not met; empty if it is met
  std::string note = {};  // a warning for operators although it is met; shown by ?verbose
};

// The conditions: the queue accepts triggers, the broker is connected and accepts messages, and
// every watcher runs.
std::vector<ReadinessCheck> CheckReadiness(const QueueStats& queue, const PublisherState& publisher,
                                           const std::vector<WatcherStatus>& watchers);

// The functions are called for requests, concurrently from several threads.
struct OpsSources {
  std::function<std::vector<ReadinessCheck>()> readiness;
  std::function<std::vector<WatcherStatus>()> watchers;
  std::function<PublisherState()> publisher;
};

// Adds the routes; to be called before the server starts. `metrics` and what `sources` refers to
// outlive the server.
// /metrics is answered on the thread of `lookups`, since a gauge reads the queue.
void AddOpsApi(HttpServer& server, OpsSources sources, const Metrics& metrics,
               std::shared_ptr<Lookups> lookups);

}  // namespace tower

#endif  // CORE_API_OPS_API_H_
