#include "plugins/file/read/table.h"

#include <algorithm>
#include <utility>

#include "core/json/json.h"

namespace tower::file {

OrRefusal<Table> Table::Open(std::string_view text, const CsvFormat& format) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return tl::unexpected(Refusal{.why = *WhyNotText(text), .line = 1});
  }
  Table table(text, format);
  CsvRow row;
  auto header = table.NextUsed(row);
  if (!header) return tl::unexpected(std::move(header.error()));
  if (!*header) return tl::unexpected(Refusal{.why = "no header row", .line = row.line});
  table.header_line_ = row.line;
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto& name = row.cells[i].text;
    const auto fault = [&](std::string why) {
      return tl::unexpected(Refusal{.why = std::move(why), .line = row.line, .column = i + 1});
    };
    if (name.empty()) return fault("a column without a name");
    if (name.size() > kMaxName) {
      return fault("the name of a column is longer than " + std::to_string(kMaxName) + " bytes");
    }
    if (!seen.insert(name).second) return fault("two columns are named " + name);
    table.names_.push_back(name);
    AppendJsonString(table.keys_.emplace_back(), name);
  }
  // One column is a table too, but hardly with such a name.
  const auto& first = row.cells[0];
  if (row.cells.size() == 1 && !first.quoted &&
      (first.text.find_first_of(";\t|") != std::string::npos || first.text.starts_with("sep="))) {
    return tl::unexpected(Refusal{
        .why = "only one column, " + table.QuotedNames() +
               ": set delimiter, and csv-skip-lines where this is no header; or put it in quotes",
        .line = row.line});
  }
  return table;
}

std::string Table::QuotedNames() const {
  constexpr std::size_t kMost = 20;
  std::string shown;
  for (std::size_t i = 0; i < names_.size() && i < kMost; ++i) {
    if (i > 0) shown += ", ";
    AppendJsonString(shown, names_[i]);
  }
  if (names_.size() > kMost) shown += ", …";
  return shown;
}

// Spreadsheets leave empty lines behind, and rows of nothing but delimiters.
OrRefusal<bool> Table::NextUsed(CsvRow& row) {
  for (;;) {
    auto more = reader_.Next(row);
    if (!more || !*more) return more;
    if (!std::all_of(row.cells.begin(), row.cells.end(),
                     [](const CsvCell& cell) { return cell.empty(); })) {
      return true;
    }
  }
}

OrRefusal<bool> Table::Next(CsvRow& row) {
  auto more = NextUsed(row);
  if (!more || !*more || row.cells.size() == names_.size()) return more;
  return tl::unexpected(Refusal{.why = std::to_string(row.cells.size()) +
                                       " cells, but the header has " +
                                       std::to_string(names_.size()),
                                .line = row.line});
}

bool Table::AppendColumns(std::string& out, const CsvRow& row,
                          const std::set<std::size_t>& left_out) const {
  bool any = false;
  out += '{';
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto& cell = row.cells[i];
    if (cell.empty() || left_out.count(i) > 0) continue;
    if (any) out += ',';
    any = true;
    out.append(keys_[i]) += ':';
    if (IsNumber(cell)) {
      out += cell.text;
    } else {
      AppendJsonString(out, cell.text);
    }
  }
  out += '}';
  return any;
}

bool Table::IsNumber(const CsvCell& cell) const {
  if (numbers_ == CsvNumbers::kNone || (cell.quoted && numbers_ != CsvNumbers::kAll)) return false;
  return IsJsonNumber(cell.text);
}

}  // namespace tower::file
