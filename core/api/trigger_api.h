// /triggers and what is below it: the contract stands in README.md ("HTTP").
#ifndef CORE_API_TRIGGER_API_H_
#define CORE_API_TRIGGER_API_H_

#include "core/base/metrics.h"
#include "core/http/server.h"
#include "core/queue/queue.h"

namespace tower {

// Adds the routes. Before the server starts; `queue` and `metrics` outlive it.
void AddTriggerApi(HttpServer& server, TriggerQueue& queue, Metrics& metrics);

}  // namespace tower

#endif  // CORE_API_TRIGGER_API_H_
