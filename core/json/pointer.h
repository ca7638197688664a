// JSON pointers (RFC 6901), which identify a value in a document.
#ifndef CORE_JSON_POINTER_H_
#define CORE_JSON_POINTER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"

namespace tower {

class JsonPointer {
 public:
  JsonPointer() = default;  // the whole document

  // "" is the whole document. Returns nullopt for a text that is not a JSON pointer: it does not
  // begin with a slash, or contains a ~ that is not followed by 0 or 1.
  static std::optional<JsonPointer> Parse(std::string_view text);

  // The number of reference tokens; 0 for the whole document.
  std::size_t depth() const noexcept { return tokens_.size(); }

  // The value in `document`, or nullopt if it does not exist. An array index has no leading zeros
  // (section 4); `-`, the item after the last one, never exists.
  std::optional<JsonValue> In(const JsonValue& document) const;

 private:
  std::vector<std::string> tokens_;  // unescaped
};

}  // namespace tower

#endif  // CORE_JSON_POINTER_H_
