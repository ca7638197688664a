#include "plugins/file/read/plate_map.h"

#include <algorithm>

#include "core/base/encode.h"

namespace tower::file {

OrRefusal<WellColumns> WellColumns::Find(const std::vector<std::string>& names) {
  WellColumns found;
  std::optional<std::size_t> row, column;
  const std::pair<std::string_view, std::optional<std::size_t>*> wanted[] = {
      {"well", &found.well_}, {"row", &row}, {"column", &column}};
  for (const auto& [name, place] : wanted) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!EqualsIgnoringCase(names[i], name)) continue;
      if (*place) {
        return tl::unexpected(
            Refusal{.why = "two columns are named " + std::string(name), .column = i + 1});
      }
      *place = i;
    }
  }
  if (found.well_) {
    found.all_ = {*found.well_};
    return found;
  }
  if (!row || !column) {
    return tl::unexpected(
        Refusal{.why = "a plate map needs a column well, or columns row and column"});
  }
  found.row_ = *row;
  found.column_ = *column;
  found.all_ = {*row, *column};
  return found;
}

OrRefusal<Well> WellColumns::WellOf(const CsvRow& row) const {
  const auto fault = [&row](std::size_t cell, std::string_view what, std::string_view range) {
    return tl::unexpected(
        Refusal{.why = "expected " + std::string(what) + ", " + std::string(range) + ", found " +
                       (row.cells[cell].text.empty() ? "nothing" : row.cells[cell].text),
                .line = row.line,
                .column = cell + 1});
  };
  if (well_) {
    const auto well = ParseWell(row.cells[*well_].text);
    if (!well) return fault(*well_, "a well", "A1 to DX128");
    return *well;
  }
  const auto plate_row = ParsePlateRow(row.cells[row_].text);
  if (!plate_row) return fault(row_, "a row of a plate", "A to DX or 1 to 128");
  const auto plate_column = ParsePlateColumn(row.cells[column_].text);
  if (!plate_column) return fault(column_, "a column of a plate", "1 to 128");
  return Well{*plate_row, *plate_column};
}

std::optional<Refusal> PlateMap::Add(const Well& well, Content content) {
  const auto line = content.line;
  const auto largest = choice_.size.value_or(kStandardPlates.back());
  if (!largest.Has(well)) {
    return Refusal{.why = "the well " + ToString(well) + " is not on a plate of " +
                          ToString(largest) +
                          (choice_.size ? "" : ", the largest of the standard plates"),
                   .line = line};
  }
  rows_ = std::max(rows_, well.row);
  columns_ = std::max(columns_, well.column);
  blank_ = blank_ && content.spec.empty();
  const auto [place, added] = wells_.try_emplace({well.column, well.row}, std::move(content));
  if (added) return std::nullopt;
  return Refusal{.why = "the well " + ToString(well) + " is in line " +
                        std::to_string(place->second.line) + " already",
                 .line = line};
}

PlateSize PlateMap::size() const {
  if (choice_.size) return *choice_.size;
  return *std::find_if(
      kStandardPlates.begin(), kStandardPlates.end(),
      [this](const PlateSize& plate) { return plate.rows >= rows_ && plate.columns >= columns_; });
}

void PlateMap::AppendWells(std::string& out, std::string Content::*what) const {
  const auto plate = size();
  auto next = wells_.begin();
  out += '[';
  for (std::size_t column = 1; column <= plate.columns; ++column) {
    for (std::size_t row = 1; row <= plate.rows; ++row) {
      if (out.back() != '[') out += ',';
      const bool is_next = next != wells_.end() && next->first == std::pair(column, row);
      const bool used = is_next && !next->second.spec.empty();
      out += used ? next->second.*what : "null";
      if (is_next) ++next;
    }
  }
  out += ']';
}

}  // namespace tower::file

namespace tower {

Result<file::PlateChoice> OptionCodec<file::PlateChoice>::Parse(std::string_view text) {
  if (text == "auto") return file::PlateChoice{.smallest = true};
  if (const auto size = ParsePlateSize(text)) return file::PlateChoice{.size = size};
  return Error{ErrorCode::kInvalid,
               "must be 6, 12, 24, 48, 96, 384 or 1536, rows and columns such as 8x12 (each from 1 "
               "to 128), or auto"};
}

std::string OptionCodec<file::PlateChoice>::Format(const file::PlateChoice& value) {
  if (value.size) return ToString(*value.size);
  return value.smallest ? "auto" : "";
}

}  // namespace tower
