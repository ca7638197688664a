// Why a file is refused, and where in it; and what the readers of text share.
#ifndef PLUGINS_FILE_READ_REFUSAL_H_
#define PLUGINS_FILE_READ_REFUSAL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/json/json.h"

namespace tower::file {

// Lines and columns count from 1; 0: none in particular.
struct Refusal {
  std::string why;
  std::size_t line = 0;
  std::size_t column = 0;                             // of a table: which cell of its row
  std::optional<std::string> pointer = std::nullopt;  // of JSON
  std::size_t faults = 1;
  // kInvalid: the file is at fault. Any other: something else is, and the file is to be taken
  // later.
  ErrorCode code = ErrorCode::kInvalid;
};

template <typename T>
using OrRefusal = tl::expected<T, Refusal>;

// The line in which a byte of a text stands.
std::size_t LineOf(std::string_view text, std::size_t offset);

// What a reader of JSON found in `text`, which begins at `first_line` of its file.
Refusal RefusalOf(const Faults& faults, std::string_view text, std::size_t first_line = 1);

// The text without the byte order mark that some programs begin UTF-8 with.
std::string_view WithoutMark(std::string_view text);

// What keeps bytes from being text in UTF-8, if anything does.
std::optional<std::string> WhyNoText(std::string_view bytes);

}  // namespace tower::file

#endif  // PLUGINS_FILE_READ_REFUSAL_H_
