#include "core/trigger/trace_context.h"

#include <algorithm>
#include <cstddef>

namespace tower {
namespace {

constexpr std::size_t kTraceparentSize = 55;
constexpr std::size_t kMaxTracestate = 512;
constexpr std::size_t kMaxMembers = 32;

bool IsHex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) noexcept {
  return IsHex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

// A key consists of lower case letters, digits and _-*/, with an optional '@' before a system name.
bool IsKey(std::string_view key) noexcept {
  return !key.empty() && key.size() <= 256 && std::count(key.begin(), key.end(), '@') <= 1 &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view("_-*/@").find(c) != std::string_view::npos;
         });
}

bool IsValue(std::string_view value) noexcept {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

}  // namespace

bool IsTraceparent(std::string_view value) noexcept {
  if (value.size() < kTraceparentSize || value[2] != '-' || value[35] != '-' || value[52] != '-') {
    return false;
  }
  const auto version = value.substr(0, 2);
  if (!IsHex(version) || version == "ff") return false;
  if (value.size() > kTraceparentSize &&
      (version == "00" || value[kTraceparentSize] != '-' || value.size() > kMaxTracestate)) {
    return false;
  }
  return IsId(value.substr(3, 32)) && IsId(value.substr(36, 16)) && IsHex(value.substr(53, 2)) &&
         std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool IsTracestate(std::string_view value) noexcept {
  if (value.empty() || value.size() > kMaxTracestate) return false;
  std::size_t members = 0;
  while (!value.empty()) {
    const auto comma = std::min(value.find(','), value.size());
    auto member = value.substr(0, comma);
    value.remove_prefix(std::min(comma + 1, value.size()));
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t')) {
      member.remove_prefix(1);
    }
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t')) {
      member.remove_suffix(1);
    }
    if (member.empty()) continue;  // allowed, section 3.3.1.1
    const auto equals = member.find('=');
    if (equals == std::string_view::npos || ++members > kMaxMembers ||
        !IsKey(member.substr(0, equals)) || !IsValue(member.substr(equals + 1))) {
      return false;
    }
  }
  return members > 0;
}

}  // namespace tower
