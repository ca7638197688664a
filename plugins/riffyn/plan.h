// What the runs of an experiment mean: which of them have started.
#ifndef PLUGINS_RIFFYN_PLAN_H_
#define PLUGINS_RIFFYN_PLAN_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plugins/riffyn/answers.h"

namespace tower::riffyn {

struct PlateSize {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
};

// Runs whose triggers are made and put together: one that has started, or all of a plate.
struct Start {
  std::optional<PlateSize> plate;
  std::vector<const Run*> runs;  // never empty; of one activity; those of a plate in well order

  bool NeedsTriggers() const;  // some run uses a resource that is an API version
};

// Something that is wrong with a run or plate.
struct Objection {
  std::string place;  // names it
  std::string why;
};

struct Plan {
  std::vector<Start> starts;        // in the order in which their first run is listed
  std::vector<const Run*> no_well;  // started, and named as a well that no plate has
  std::vector<Objection> objections;
};

// `handled` tells whether a run that runs was handled when it started; `runs` outlive the plan.
//
// A plate is complete when every well has a run that runs, and has started when one of these was
// not handled yet. Its runs are those of one activity and name, in whatever groups. But where
// several claim a well (those that were deleted aside) each group has a plate of its own; and where
// two runs of a group run for one well, the plate waits.
Plan MakePlan(const std::vector<Run>& runs, const std::function<bool(const Run&)>& handled);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_PLAN_H_
