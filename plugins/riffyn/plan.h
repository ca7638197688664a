// Which runs of an experiment have started, alone or as a plate.
#ifndef PLUGINS_RIFFYN_PLAN_H_
#define PLUGINS_RIFFYN_PLAN_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/trigger/plate.h"
#include "plugins/riffyn/api.h"

namespace tower::riffyn {

// A run named `<name> [RxC] <n>` is well n, counted column first from 1, of a plate of R rows and C
// columns. Numbers may have any length; those beyond a million are a million.
struct WellRun {
  std::string plate;  // the name
  PlateSize size;
  std::size_t number = 0;

  // Whether the size is valid and the plate has that well.
  bool Exists() const noexcept;
};
std::optional<WellRun> ParseWellRun(std::string_view run_name);

// Runs whose triggers are made and put together: a run that has started, or all runs of a plate.
struct Start {
  std::optional<PlateSize> plate;
  std::vector<const Run*> runs;  // never empty; of one activity; those of a plate in well order

  bool NeedsTriggers() const;  // whether a run uses a resource that is an API version
};

// Why a plate waits although all its wells run.
struct Conflict {
  std::string plate;  // names it
  std::string why;
};

struct Plan {
  std::vector<Start> starts;              // in the order in which their first run is listed
  std::vector<const Run*> invalid_wells;  // started, but the plate in their name has no such well
  std::vector<Conflict> conflicts;
};

// `handled` tells whether a running run was handled when it started. `runs` outlive the plan.
//
// A plate consists of the runs of one activity and name, in any run groups. It is complete when
// every well has a running run, and has started if one of these was not handled yet. If runs of
// several groups claim a well (deleted runs aside), each group has a plate of its own. While two
// running runs of one group claim a well, the plate waits.
Plan MakePlan(const std::vector<Run>& runs, const std::function<bool(const Run&)>& handled);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_PLAN_H_
