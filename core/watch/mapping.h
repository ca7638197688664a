// Converts an event of a source to triggers with an expression or a script in Lua 5.4. Without one,
// the event itself must be a trigger or an array of triggers.
//
// The script reads the global variable `event` and returns a trigger, an array of triggers, or nil
// to ignore the event. It has no access to files, processes, the network, the clock or other
// events. core/lua/budget.h limits its resources. README.md ("Mapping") describes it for authors of
// scripts.
#ifndef CORE_WATCH_MAPPING_H_
#define CORE_WATCH_MAPPING_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/options/options.h"
#include "core/trigger/trigger.h"

namespace tower {

class LuaScript;

// Used by one thread at a time.
class Mapping {
 public:
  Mapping();
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // Adds the options `map` and `map-file`, and the rule that at most one of them is set. This
  // object outlives the set.
  void Declare(OptionSet& options);

  // Whether there is a script. Otherwise an event must be a trigger or an array of triggers.
  bool given() const noexcept { return !map_.empty() || !map_file_.empty(); }

  // Sets the receiver of the output of print, line by line; by default it is discarded. To be
  // called before Load.
  void OnPrint(std::function<void(std::string_view)> print) { print_ = std::move(print); }

  // Reads and compiles the script, if there is one. To be called at the start of each Run, and by
  // Check. kInvalid; the message names file and line. After an error Apply must not be called.
  Status Load();

  // Returns the triggers for an event; none if the script returns nil or an empty array. `event` is
  // JSON. `id` identifies the event in errors: "delivery 7f3a", "line 12", "item 4711".
  // Errors: kInvalid concerns this event only (the script failed, or its result is not a trigger):
  // the caller reports it, counts the event as rejected, and continues with the next one. The
  // message names file, line and id.
  Result<std::vector<Trigger>> Apply(std::string_view event, std::string_view id);

 private:
  Status CheckOptions() const;

  std::string map_, map_file_;
  std::function<void(std::string_view)> print_;
  std::unique_ptr<LuaScript> script_;
};

}  // namespace tower

#endif  // CORE_WATCH_MAPPING_H_
