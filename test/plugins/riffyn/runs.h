// A run for tests.
#ifndef TEST_PLUGINS_RIFFYN_RUNS_H_
#define TEST_PLUGINS_RIFFYN_RUNS_H_

#include <string>

#include "plugins/riffyn/api.h"

namespace tower::riffyn {

inline Run MakeRun(const std::string& id, const std::string& name,
                   RunState state = RunState::kRunning, const std::string& group = "g",
                   const std::string& activity = "act") {
  return {.id = id,
          .name = name,
          .number = "1",
          .activity = activity,
          .group = group,
          .state = state,
          .resources = {{"X/v1", "in"}}};
}

}  // namespace tower::riffyn

#endif  // TEST_PLUGINS_RIFFYN_RUNS_H_
