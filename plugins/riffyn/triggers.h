// The triggers that a start means.
#ifndef PLUGINS_RIFFYN_TRIGGERS_H_
#define PLUGINS_RIFFYN_TRIGGERS_H_

#include <string>
#include <vector>

#include "core/trigger/trigger.h"
#include "plugins/riffyn/answers.h"
#include "plugins/riffyn/plan.h"

namespace tower::riffyn {

struct Composed {
  std::vector<Trigger> triggers;    // one for each API version, in the order of runs and resources
  std::vector<std::string> faults;  // of those API versions that none could be made for
};

// REQUIRES: `data` has each run that uses a resource with properties; others need not be in it.
Composed Compose(const std::string& experiment, const Start& start, const Activity& activity,
                 const RawData& data);

// The runs of a start whose raw data is needed: they use a resource that has properties.
std::vector<const Run*> RunsWithData(const Start& start, const Activity& activity);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_TRIGGERS_H_
