// Reads CSV (RFC 4180) row by row. A row ends with LF, CRLF or CR. Violations of the RFC are
// refused.
#ifndef PLUGINS_FILE_READ_CSV_H_
#define PLUGINS_FILE_READ_CSV_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/options/options.h"
#include "plugins/file/read/refusal.h"

namespace tower::file {

struct CsvCell {
  std::string text;
  bool quoted = false;
  // Whether there is nothing between two delimiters. An empty text in quotes is not empty.
  bool empty() const noexcept { return text.empty() && !quoted; }
};

struct CsvRow {
  std::size_t line = 0;  // of the file, in which the row begins
  std::vector<CsvCell> cells;
};

// The separator between two cells.
struct Delimiter {
  char value = ',';
};

class CsvReader {
 public:
  static constexpr std::size_t kMaxCells = 16'384;  // in a row

  // `text` outlives the reader. Its first `skip_lines` lines are skipped.
  CsvReader(std::string_view text, Delimiter delimiter, std::size_t skip_lines = 0);

  // False at the end. An empty line is a row with one empty cell. Not to be called after a refusal.
  OrRefusal<bool> Next(CsvRow& row);

 private:
  OrRefusal<CsvCell> ReadCell(std::size_t column);
  OrRefusal<CsvCell> ReadQuoted(std::size_t column);
  void TakeLineEnd();
  bool AtEnd() const noexcept { return at_ >= text_.size(); }

  std::string_view text_;
  const char delimiter_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

// Whether the text is a number of JSON (RFC 8259): 1.0 and -2e5, but not 007, 1,5, .5 or NaN.
bool IsJsonNumber(std::string_view text) noexcept;

}  // namespace tower::file

namespace tower {

template <>
struct OptionCodec<file::Delimiter> {
  static constexpr std::string_view kType = "one character, or tab";
  static Result<file::Delimiter> Parse(std::string_view text);
  static std::string Format(const file::Delimiter& value);
};

}  // namespace tower

#endif  // PLUGINS_FILE_READ_CSV_H_
