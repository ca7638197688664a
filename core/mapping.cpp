#include "core/mapping.h"

namespace tower {

struct Mapping::Script {};

Mapping::Mapping() = default;
Mapping::~Mapping() = default;

void Mapping::Declare(OptionSet& options) {
  options.Add("map", &map_,
              "Lua expression that makes a trigger, an array of them or nil (ignored) of `event`.");
  options.Add("map-file", &map_file_, "File with a Lua script that does the same by `return`.");
  options.Check([this]() -> Status {
    if (map_.empty() || map_file_.empty()) return Ok();
    return Error{ErrorCode::kInvalid, "set map or map-file, not both"};
  });
}

Status Mapping::Load() { return Ok(); }

Result<std::vector<Trigger>> Mapping::Apply(std::string_view event, std::string_view id) {
  auto triggers = ParseTriggers(event);
  if (triggers) return std::move(*triggers);
  return Error{ErrorCode::kInvalid, "the event is no trigger: " + Describe(triggers.error()) +
                                        " (" + std::string(id) + ")"};
}

}  // namespace tower
