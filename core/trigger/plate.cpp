#include "core/trigger/plate.h"

#include <algorithm>
#include <charconv>

#include "core/base/encode.h"

namespace tower {
namespace {

std::optional<std::size_t> ParseNumber(std::string_view text) {
  std::size_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || read_to != end) return std::nullopt;
  return number;
}

// A is 1, Z is 26, AA is 27.
std::optional<std::size_t> ParseLetters(std::string_view text) {
  if (text.empty() || text.size() > 2) return std::nullopt;
  std::size_t row = 0;
  for (const char c : text) {
    if (!IsLetter(c)) return std::nullopt;
    row = row * 26 + static_cast<std::size_t>(ToLower(c) - 'a') + 1;
  }
  if (row > kMaxPlateSide) return std::nullopt;
  return row;
}

}  // namespace

bool PlateSize::IsValid() const noexcept {
  return rows >= 1 && rows <= kMaxPlateSide && columns >= 1 && columns <= kMaxPlateSide;
}

bool PlateSize::Has(const Well& well) const noexcept {
  return well.row >= 1 && well.row <= rows && well.column >= 1 && well.column <= columns;
}

std::optional<std::size_t> ParsePlateSide(std::string_view text) {
  const auto side = ParseNumber(text);
  if (!side || *side < 1 || *side > kMaxPlateSide) return std::nullopt;
  return side;
}

std::optional<PlateSize> ParsePlateSize(std::string_view text) {
  if (const auto x = text.find('x'); x != std::string_view::npos) {
    const auto rows = ParsePlateSide(text.substr(0, x));
    const auto columns = ParsePlateSide(text.substr(x + 1));
    if (!rows || !columns) return std::nullopt;
    return PlateSize{*rows, *columns};
  }
  const auto wells = ParseNumber(text);
  const auto* const found =
      std::find_if(kStandardPlates.begin(), kStandardPlates.end(),
                   [&](const PlateSize& plate) { return plate.wells() == wells; });
  if (found == kStandardPlates.end()) return std::nullopt;
  return *found;
}

std::optional<Well> ParseWell(std::string_view text) {
  text = Trim(text);
  const auto digits = std::find_if_not(text.begin(), text.end(), IsLetter) - text.begin();
  const auto row = ParseLetters(text.substr(0, static_cast<std::size_t>(digits)));
  const auto column = ParsePlateSide(text.substr(static_cast<std::size_t>(digits)));
  if (!row || !column) return std::nullopt;
  return Well{*row, *column};
}

std::optional<std::size_t> ParsePlateRow(std::string_view text) {
  text = Trim(text);
  if (const auto row = ParseLetters(text)) return row;
  return ParsePlateSide(text);
}

std::optional<std::size_t> ParsePlateColumn(std::string_view text) {
  return ParsePlateSide(Trim(text));
}

std::string ToString(const PlateSize& size) {
  return std::to_string(size.rows) + "x" + std::to_string(size.columns);
}

std::string ToString(const Well& well) {
  std::string name;
  for (auto row = well.row; row > 0; row = (row - 1) / 26) {
    name.insert(name.begin(), static_cast<char>('A' + (row - 1) % 26));
  }
  return name + std::to_string(well.column);
}

void AppendJson(std::string& json, const PlateSize& size) {
  json.append("{\"rows\":").append(std::to_string(size.rows));
  json.append(",\"columns\":").append(std::to_string(size.columns)) += '}';
}

}  // namespace tower
