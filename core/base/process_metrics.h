// What every Prometheus client tells of its process: CPU time, memory, open files, start.
#ifndef CORE_BASE_PROCESS_METRICS_H_
#define CORE_BASE_PROCESS_METRICS_H_

#include <string>

namespace tower {

// The families process_*, in the text format of core/base/metrics.h, read from /proc at each call.
// What can't be read is left out. Thread-safe.
std::string RenderProcessMetrics();

}  // namespace tower

#endif  // CORE_BASE_PROCESS_METRICS_H_
