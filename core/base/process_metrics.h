// The standard process metrics of Prometheus clients: CPU time, memory, open files, start time.
#ifndef CORE_BASE_PROCESS_METRICS_H_
#define CORE_BASE_PROCESS_METRICS_H_

#include <string>

namespace tower {

// The families process_* in the text format of core/base/metrics.h, read from /proc at each call.
// Values that cannot be read are omitted. Thread-safe.
std::string RenderProcessMetrics();

}  // namespace tower

#endif  // CORE_BASE_PROCESS_METRICS_H_
