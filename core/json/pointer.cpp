#include "core/json/pointer.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace tower {
namespace {

std::optional<std::string> Unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out += token[i];
      continue;
    }
    const char next = ++i < token.size() ? token[i] : '\0';
    if (next != '0' && next != '1') return std::nullopt;
    out += next == '0' ? '~' : '/';
  }
  return out;
}

std::optional<JsonValue> ItemAt(const JsonValue& array, const std::string& token) {
  std::size_t index = 0;
  const auto* last = token.data() + token.size();
  const auto [end, fault] = std::from_chars(token.data(), last, index);
  const bool leading_zero = token.size() > 1 && token[0] == '0';
  if (fault != std::errc() || end != last || leading_zero) return std::nullopt;
  for (const auto& item : array) {
    if (index-- == 0) return item;
  }
  return std::nullopt;
}

}  // namespace

std::optional<JsonPointer> JsonPointer::Parse(std::string_view text) {
  JsonPointer pointer;
  if (!text.empty() && !text.starts_with('/')) return std::nullopt;
  while (!text.empty()) {
    text.remove_prefix(1);
    const auto end = std::min(text.find('/'), text.size());
    auto token = Unescaped(text.substr(0, end));
    if (!token) return std::nullopt;
    pointer.tokens_.push_back(std::move(*token));
    text.remove_prefix(end);
  }
  return pointer;
}

std::optional<JsonValue> JsonPointer::In(const JsonValue& document) const {
  std::optional<JsonValue> at = document;
  for (const auto& token : tokens_) {
    at = at->type() == JsonType::kArray ? ItemAt(*at, token) : at->Find(token);
    if (!at) break;
  }
  return at;
}

}  // namespace tower
