#include "plugins/poll/link.h"

#include <algorithm>

#include "core/base/encode.h"

namespace tower::poll {
namespace {

constexpr std::string_view kSpace = " \t";

void SkipSpace(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

bool Skip(std::string_view& text, char c) {
  SkipSpace(text);
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Up to one of `ends`, which stays.
std::string_view TakeUntil(std::string_view& text, std::string_view ends) {
  const auto size = std::min(text.find_first_of(ends), text.size());
  const auto taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken.substr(0, taken.find_last_not_of(kSpace) + 1);
}

// A token, or a quoted string without its quotes and backslashes.
std::string TakeValue(std::string_view& text) {
  if (!Skip(text, '"')) return std::string(TakeUntil(text, ";,"));
  std::string value;
  while (!text.empty() && text[0] != '"') {
    if (text[0] == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text[0];
    text.remove_prefix(1);
  }
  Skip(text, '"');
  return value;
}

// A value may name several relations.
bool IsNext(std::string_view relations) {
  while (!relations.empty()) {
    SkipSpace(relations);
    if (EqualsIgnoringCase(TakeUntil(relations, kSpace), "next")) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> NextLink(std::string_view value) {
  while (!value.empty()) {
    if (!Skip(value, '<')) {  // an empty element, or none of ours
      TakeUntil(value, ",");
      if (!value.empty()) value.remove_prefix(1);
      continue;
    }
    const std::string target(TakeUntil(value, ">"));
    if (!Skip(value, '>')) return std::nullopt;
    bool next = false, has_relation = false;
    while (Skip(value, ';')) {
      SkipSpace(value);
      const auto name = TakeUntil(value, "=;,");
      const auto parameter = Skip(value, '=') ? TakeValue(value) : std::string();
      if (!EqualsIgnoringCase(name, "rel") || has_relation) continue;  // only the first counts
      has_relation = true;
      next = IsNext(parameter);
    }
    if (next) return target;
    TakeUntil(value, ",");
    if (!value.empty()) value.remove_prefix(1);
  }
  return std::nullopt;
}

}  // namespace tower::poll
