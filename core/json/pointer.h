// JSON pointers (RFC 6901): the place of a value in a document.
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

  // "" is the whole document. Nothing for a text that is no pointer: one that does not begin with a
  // slash, or with a ~ that is not followed by 0 or 1.
  static std::optional<JsonPointer> Parse(std::string_view text);

  // How many members or items lie between the document and the place.
  std::size_t depth() const noexcept { return tokens_.size(); }

  // Nothing where there is no such value. An index of an array is written without leading zeros
  // (section 4); `-`, the item behind the last one, is never there.
  std::optional<JsonValue> In(const JsonValue& document) const;

 private:
  std::vector<std::string> tokens_;  // unescaped
};

}  // namespace tower

#endif  // CORE_JSON_POINTER_H_
