// The times at which a schedule fires.
#ifndef PLUGINS_SCHEDULE_TIME_TIMES_H_
#define PLUGINS_SCHEDULE_TIME_TIMES_H_

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "plugins/schedule/time/cron.h"
#include "plugins/schedule/time/instant.h"
#include "plugins/schedule/time/zone.h"

namespace tower::schedule {

// A value.
class Times {
 public:
  // By cron in a time zone.
  Times(Cron cron, Zone zone);
  // At the multiples of `every`, which is at least 1 ms, since 1970-01-01T00:00:00Z.
  explicit Times(std::chrono::milliseconds every);
  // At each of these times, in any order.
  explicit Times(std::vector<Instant> moments);

  // The first time after `after`; nothing if there is none.
  std::optional<Instant> Next(Instant after) const;

 private:
  struct ByCron {
    Cron cron;
    Zone zone;
  };
  std::variant<ByCron, std::chrono::milliseconds, std::vector<Instant>> kind_;
};

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_TIMES_H_
