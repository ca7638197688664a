// A CSV file with a header, whose rows are converted to JSON.
#ifndef PLUGINS_FILE_READ_TABLE_H_
#define PLUGINS_FILE_READ_TABLE_H_

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/file/read/csv.h"
#include "plugins/file/read/refusal.h"

namespace tower::file {

// Which cells become numbers if they are valid numbers of JSON. Other cells become strings.
enum class CsvNumbers { kUnquoted, kAll, kNone };

struct CsvFormat {
  Delimiter delimiter = {};
  std::size_t skip_lines = 0;  // above the header
  CsvNumbers numbers = CsvNumbers::kUnquoted;
};

class Table {
 public:
  static constexpr std::size_t kMaxName = 255;  // bytes of a column's name

  // Reads the header. Names of columns must be unique. `text` outlives the table.
  static OrRefusal<Table> Open(std::string_view text, const CsvFormat& format);

  std::size_t header_line() const noexcept { return header_line_; }
  const std::vector<std::string>& names() const noexcept { return names_; }
  // The names for an error message.
  std::string QuotedNames() const;

  // The next row that has a cell which is not empty. It has a cell for each name. False at the end.
  OrRefusal<bool> Next(CsvRow& row);

  // Appends {"name": value, …} without the columns `left_out` and without empty cells. A number
  // keeps every byte. Returns whether a cell was appended.
  bool AppendColumns(std::string& out, const CsvRow& row,
                     const std::set<std::size_t>& left_out = {}) const;

 private:
  Table(std::string_view text, const CsvFormat& format)
      : reader_(text, format.delimiter, format.skip_lines), numbers_(format.numbers) {}
  OrRefusal<bool> NextUsed(CsvRow& row);
  bool IsNumber(const CsvCell& cell) const;

  CsvReader reader_;
  CsvNumbers numbers_;
  std::size_t header_line_ = 0;
  std::vector<std::string> names_;
  std::vector<std::string> keys_;  // the same as JSON strings
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_READ_TABLE_H_
