// /triggers and the endpoints below it. README.md ("HTTP") is the contract.
#ifndef CORE_API_TRIGGER_API_H_
#define CORE_API_TRIGGER_API_H_

#include <memory>

#include "core/api/lookups.h"
#include "core/base/metrics.h"
#include "core/http/server.h"
#include "core/queue/queue.h"

namespace tower {

// Adds the routes; to be called before the server starts. `queue` and `metrics` outlive the server.
// Reads of the queue run on the thread of `lookups`.
void AddTriggerApi(HttpServer& server, TriggerQueue& queue, Metrics& metrics,
                   std::shared_ptr<Lookups> lookups);

}  // namespace tower

#endif  // CORE_API_TRIGGER_API_H_
