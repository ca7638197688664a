#include "plugins/file/read/refusal.h"

#include <algorithm>

namespace tower::file {

std::size_t LineOf(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

Refusal RefusalOf(const Faults& faults, std::string_view text, std::size_t first_line) {
  const auto& first = faults.front();
  return {.why = Describe(faults),
          .line = first_line - 1 + LineOf(text, first.offset),
          .pointer = first.pointer,
          .faults = faults.size()};
}

std::string_view WithoutByteOrderMark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

std::optional<std::string> WhyNotText(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    return "it is UTF-16; save it as UTF-8";
  }
  if (FindInvalidUtf8(bytes) != std::string_view::npos) return "it is not UTF-8; save it as UTF-8";
  if (bytes.find('\0') != std::string_view::npos) return "a zero byte; it is not text";
  return std::nullopt;
}

}  // namespace tower::file
