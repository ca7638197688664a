#include "core/base/percent.h"

#include <charconv>
#include <system_error>

namespace tower {
namespace {

std::optional<unsigned char> HexByte(std::string_view digits) {
  unsigned char value = 0;
  const char* end = digits.data() + digits.size();
  auto [stopped, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.size() != 2 || error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    auto byte = HexByte(text.substr(i + 1, 2));
    if (!byte || *byte == 0) return std::nullopt;
    decoded += static_cast<char>(*byte);
    i += 2;
  }
  return decoded;
}

}  // namespace tower
