// Why and where in its content a file is refused, and helpers of the readers.
#ifndef PLUGINS_FILE_READ_REFUSAL_H_
#define PLUGINS_FILE_READ_REFUSAL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/json/json.h"

namespace tower::file {

// Lines and columns are counted from 1; 0 means none.
struct Refusal {
  std::string why;
  std::size_t line = 0;
  std::size_t column = 0;                             // of a CSV file: the cell of the row
  std::optional<std::string> pointer = std::nullopt;  // of JSON
  std::size_t faults = 1;
  // kInvalid: the file is at fault. Any other code: the file is to be taken later.
  ErrorCode code = ErrorCode::kInvalid;
};

template <typename T>
using OrRefusal = tl::expected<T, Refusal>;

// The line of a byte in a text.
std::size_t LineOf(std::string_view text, std::size_t offset);

// For faults of JSON in `text`, which begins at line `first_line` of the file.
Refusal RefusalOf(const Faults& faults, std::string_view text, std::size_t first_line = 1);

// The text without a byte order mark in UTF-8.
std::string_view WithoutByteOrderMark(std::string_view text);

// Why the bytes are not text in UTF-8; nothing if they are.
std::optional<std::string> WhyNotText(std::string_view bytes);

}  // namespace tower::file

#endif  // PLUGINS_FILE_READ_REFUSAL_H_
