#include "plugins/riffyn/escape.h"

#include "core/base/encode.h"

namespace tower::riffyn {

std::string Escape(std::string_view text) {
  if (text == ".") return "%2E";
  if (text == "..") return "%2E%2E";
  return PercentEncode(text);
}

std::optional<std::string> Unescape(std::string_view text) {
  auto plain = PercentDecode(text);
  if (!plain || Escape(*plain) != text) return std::nullopt;
  return plain;
}

}  // namespace tower::riffyn
