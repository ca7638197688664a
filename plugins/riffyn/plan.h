// Which runs of an experiment have started, alone or as a plate.
#ifndef PLUGINS_RIFFYN_PLAN_H_
#define PLUGINS_RIFFYN_PLAN_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/riffyn/api.h"

namespace tower::riffyn {

struct PlateSize {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
};

// A run named `<name> [RxC] <n>`: well n of a plate of R rows and C columns. Numbers of any length;
// those beyond a million are a million.
struct Well {
  std::string plate;  // the name
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t number = 0;

  // Whether there is such a plate (1 to 128 rows and columns), and such a well in it.
  bool Exists() const noexcept;
};
std::optional<Well> ParseWell(std::string_view run_name);

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
