#include "core/queue/rows.h"

#include <chrono>

namespace tower {
namespace {

std::int64_t MsOf(std::chrono::sys_time<std::chrono::milliseconds> time) {
  return static_cast<std::int64_t>(time.time_since_epoch().count());
}

}  // namespace

bool Fits(const TriggerSummary& trigger, const TriggerFilter& filter) {
  const auto is = [](std::string_view wanted, std::string_view value) {
    return wanted.empty() || wanted == value;
  };
  return is(filter.api_version, trigger.api_version) && is(filter.protocol, trigger.protocol) &&
         is(filter.source, trigger.source) &&
         (!filter.since || trigger.accepted_ms >= MsOf(*filter.since)) &&
         (!filter.until || trigger.accepted_ms < MsOf(*filter.until));
}

std::int64_t SizeOf(const AcceptedTrigger& trigger) noexcept {
  return static_cast<std::int64_t>(trigger.body.size() + trigger.api_version.size() +
                                   trigger.protocol.size() + trigger.traceparent.size() +
                                   trigger.tracestate.size() + trigger.client.size()) +
         kRowOverhead;
}

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace tower
