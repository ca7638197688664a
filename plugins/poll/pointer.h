// JSON pointers (RFC 6901), as options name them.
#ifndef PLUGINS_POLL_POINTER_H_
#define PLUGINS_POLL_POINTER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace tower::poll {

class Pointer {
 public:
  // "/data/items", or "#" for the whole document ("" is an option that was not set).
  static Result<Pointer> Parse(std::string_view text);

  std::optional<JsonValue> In(const JsonValue& root) const;

 private:
  std::vector<std::string> tokens_;
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_POINTER_H_
