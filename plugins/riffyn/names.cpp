#include "plugins/riffyn/names.h"

#include <algorithm>

#include "core/trigger/trigger.h"

namespace tower::riffyn {
namespace {

constexpr std::uint32_t kMostRows = 128;  // and columns: what a trigger may have
constexpr std::uint32_t kHuge = 1'000'000;

bool IsSmall(char c) { return c >= 'a' && c <= 'z'; }
bool IsCapital(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetterOrDigit(char c) { return IsSmall(c) || IsCapital(c) || IsDigit(c); }
bool IsOfWord(char c) { return IsLetterOrDigit(c) || (static_cast<unsigned char>(c) & 0x80U) != 0; }
char Small(char c) { return IsCapital(c) ? static_cast<char>(c - 'A' + 'a') : c; }
char Capital(char c) { return IsSmall(c) ? static_cast<char>(c - 'a' + 'A') : c; }

bool IsIdentifier(std::string_view text) {
  return !text.empty() && IsLetterOrDigit(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_' || c == '.'; });
}

// Takes a number off the front.
bool SkipNumber(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(digits);
  return digits > 0;
}

bool IsVersion(std::string_view text) {
  if (!text.starts_with('v')) return false;
  text.remove_prefix(1);
  if (!SkipNumber(text)) return false;
  if (text.empty()) return true;
  for (const std::string_view stage : {"alpha", "beta"}) {
    if (!text.starts_with(stage)) continue;
    text.remove_prefix(stage.size());
    return SkipNumber(text) && text.empty();
  }
  return false;
}

// Takes the digits off the end, and what has to stand before them.
std::optional<std::uint32_t> TakeNumber(std::string_view& text, std::string_view before) {
  std::size_t begin = text.size();
  while (begin > 0 && IsDigit(text[begin - 1])) --begin;
  const auto digits = text.substr(begin);
  text = text.substr(0, begin);
  if (digits.empty() || !text.ends_with(before)) return std::nullopt;
  text.remove_suffix(before.size());
  std::uint32_t number = 0;
  for (const char digit : digits) {
    number = std::min(number * 10 + static_cast<std::uint32_t>(digit - '0'), kHuge);
  }
  return number;
}

}  // namespace

std::string PascalCase(std::string_view text) {
  std::string joined;
  bool begins = true;
  for (const char c : text) {
    if (IsOfWord(c)) joined += begins ? Capital(c) : c;
    begins = !IsOfWord(c);
  }
  return joined;
}

std::string CamelCase(std::string_view text) {
  const auto word = std::find_if(text.begin(), text.end(), IsOfWord);
  const auto run = std::find_if_not(word, text.end(), IsCapital);
  auto capitals = static_cast<std::size_t>(run - word);
  if (capitals > 1 && run != text.end() && IsSmall(*run)) --capitals;
  auto joined = PascalCase(text);
  if (capitals == 0 && word != text.end()) joined[0] = *word;
  for (std::size_t i = 0; i < capitals; ++i) joined[i] = Small(joined[i]);
  return joined;
}

bool IsApiVersion(std::string_view text) {
  if (text.size() > kMaxNameBytes) return false;
  const auto first = text.find('/');
  if (first == std::string_view::npos || !IsIdentifier(text.substr(0, first))) return false;
  text.remove_prefix(first + 1);
  const auto second = text.find('/');
  if (!IsVersion(text.substr(0, second))) return false;
  return second == std::string_view::npos || IsIdentifier(text.substr(second + 1));
}

bool Well::Exists() const noexcept {
  return rows >= 1 && rows <= kMostRows && columns >= 1 && columns <= kMostRows && number >= 1 &&
         number <= rows * columns;
}

std::optional<Well> ParseWell(std::string_view run_name) {
  const auto number = TakeNumber(run_name, "] ");
  if (!number) return std::nullopt;
  const auto columns = TakeNumber(run_name, "x");
  if (!columns) return std::nullopt;
  const auto rows = TakeNumber(run_name, " [");
  if (!rows || run_name.empty()) return std::nullopt;
  return Well{std::string(run_name), *rows, *columns, *number};
}

}  // namespace tower::riffyn
