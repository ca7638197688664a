// Makes the triggers of a start.
#ifndef PLUGINS_RIFFYN_TRIGGERS_H_
#define PLUGINS_RIFFYN_TRIGGERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/trigger/trigger.h"
#include "plugins/riffyn/api.h"
#include "plugins/riffyn/plan.h"

namespace tower::riffyn {

// Joins the words of a text, the first letter of each in upper case. Words consist of ASCII
// letters, digits and bytes beyond ASCII: `Serial dilution` -> `SerialDilution`.
std::string PascalCase(std::string_view text);

// The same, but upper case letters at the beginning become lower case, except the last of several
// before a lower case letter: `Measurement wavelength` -> `measurementWavelength`, `OD600` ->
// `od600`, `DNAVolume` -> `dnaVolume`.
std::string CamelCase(std::string_view text);

struct Composed {
  std::vector<Trigger> triggers;    // one for each API version, in the order of runs and resources
  std::vector<std::string> faults;  // one for each API version without a trigger
};

// REQUIRES: `data` has each run that RunsWithData returns.
Composed Compose(const std::string& experiment, const Start& start, const Activity& activity,
                 const RawData& data);

// The runs of a start whose raw data is needed: those that use an input with properties.
std::vector<const Run*> RunsWithData(const Start& start, const Activity& activity);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_TRIGGERS_H_
