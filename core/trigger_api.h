// /triggers and what is below it: the contract stands in README.md ("HTTP").
#ifndef CORE_TRIGGER_API_H_
#define CORE_TRIGGER_API_H_

#include "core/http.h"
#include "core/metrics.h"
#include "core/queue.h"

namespace tower {

// Adds the routes. Before the server starts; `queue` and `metrics` outlive it.
void AddTriggerApi(HttpServer& server, TriggerQueue& queue, Metrics& metrics);

}  // namespace tower

#endif  // CORE_TRIGGER_API_H_
