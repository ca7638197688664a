// An event of a source -> the triggers that it means: by an expression or a script in Lua 5.4, or,
// without one, the event itself.
//
// The script sees the global `event` and returns a trigger, an array of triggers, or nil for an
// event that means nothing. What it can't reach: files, processes, the network, the clock, other
// events. What it may use up is limited: core/lua/budget.h. README.md ("Mapping") is the author's
// view of it.
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

  // Adds `map` and `map-file` and the rule that at most one of them is set. This object outlives
  // the set.
  void Declare(OptionSet& options);

  // Whether there is a script; else an event must be a trigger or an array of triggers.
  bool given() const noexcept { return !map_.empty() || !map_file_.empty(); }

  // What the script prints, line by line; without this it goes nowhere. To be called before Load.
  void OnPrint(std::function<void(std::string_view)> print) { print_ = std::move(print); }

  // Reads and compiles the script; nothing to do without one. To be called at the start of each
  // Run, and by Check. kInvalid names file and line. After a failure Apply must not be called.
  Status Load();

  // The triggers that an event means; none when the script returned nil (or an empty array).
  // `event` is JSON. `id` names the event in errors: "delivery 7f3a", "line 12", "item 4711".
  // Errors: kInvalid, this event alone is at fault (the script failed, or what came out is no
  // trigger): report it, count it as rejected, and go on with the next one. The message names file,
  // line and id.
  Result<std::vector<Trigger>> Apply(std::string_view event, std::string_view id);

 private:
  Status CheckOptions() const;

  std::string map_, map_file_;
  std::function<void(std::string_view)> print_;
  std::unique_ptr<LuaScript> script_;
};

}  // namespace tower

#endif  // CORE_WATCH_MAPPING_H_
