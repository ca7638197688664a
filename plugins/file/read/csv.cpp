#include "plugins/file/read/csv.h"

#include <algorithm>
#include <utility>

#include "core/base/encode.h"

namespace tower::file {
namespace {

bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }

// How many lines end in the text; CRLF ends one.
std::size_t LineEnds(std::string_view text) {
  std::size_t ends = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!IsLineEnd(text[i])) continue;
    ++ends;
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  return ends;
}

std::size_t SkipDigits(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

}  // namespace

CsvReader::CsvReader(std::string_view text, Delimiter delimiter, std::size_t skip_lines)
    : text_(WithoutByteOrderMark(text)), delimiter_(delimiter.value) {
  for (; skip_lines > 0 && !AtEnd(); --skip_lines) {
    at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
    TakeLineEnd();
  }
}

OrRefusal<bool> CsvReader::Next(CsvRow& row) {
  row.cells.clear();
  row.line = line_;
  if (AtEnd()) return false;
  for (;;) {
    const auto column = row.cells.size() + 1;
    const auto line = line_;
    if (column > kMaxCells) {
      return tl::unexpected(Refusal{
          .why = "more than " + std::to_string(kMaxCells) + " cells in a row", .line = line});
    }
    auto cell = ReadCell(column);
    if (!cell) return tl::unexpected(std::move(cell.error()));
    if (auto why = WhyNotText(cell->text)) {
      return tl::unexpected(Refusal{.why = *std::move(why), .line = line, .column = column});
    }
    row.cells.push_back(std::move(*cell));
    if (AtEnd()) return true;
    if (text_[at_] == delimiter_) {
      ++at_;
      continue;
    }
    TakeLineEnd();
    return true;
  }
}

OrRefusal<CsvCell> CsvReader::ReadCell(std::size_t column) {
  if (!AtEnd() && text_[at_] == '"') return ReadQuoted(column);
  const auto begin = at_;
  while (!AtEnd() && text_[at_] != delimiter_ && !IsLineEnd(text_[at_])) {
    if (text_[at_] == '"') {
      return tl::unexpected(Refusal{
          .why =
              "a quote in a cell that does not begin with one; such a cell is put in quotes, and "
              "the quote in it is doubled",
          .line = line_,
          .column = column});
    }
    ++at_;
  }
  return CsvCell{std::string(text_.substr(begin, at_ - begin)), false};
}

OrRefusal<CsvCell> CsvReader::ReadQuoted(std::size_t column) {
  const auto begin_line = line_;
  CsvCell cell{{}, true};
  for (++at_;;) {
    const auto quote = text_.find('"', at_);
    if (quote == std::string_view::npos) {
      return tl::unexpected(
          Refusal{.why = "the quote is never closed", .line = begin_line, .column = column});
    }
    cell.text.append(text_, at_, quote - at_);
    at_ = quote + 1;
    if (AtEnd() || text_[at_] != '"') break;
    cell.text += '"';
    ++at_;
  }
  line_ += LineEnds(cell.text);
  if (!AtEnd() && text_[at_] != delimiter_ && !IsLineEnd(text_[at_])) {
    return tl::unexpected(
        Refusal{.why = "text after the quote that closes a cell", .line = line_, .column = column});
  }
  return cell;
}

void CsvReader::TakeLineEnd() {
  if (AtEnd()) return;
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
}

bool IsJsonNumber(std::string_view text) noexcept {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = SkipDigits(text, at) - at;
  if (digits == 0 || (digits > 1 && text[at] == '0')) return false;
  at += digits;
  if (at < text.size() && text[at] == '.') {
    const auto end = SkipDigits(text, ++at);
    if (end == at) return false;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const auto end = SkipDigits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

}  // namespace tower::file

namespace tower {

Result<file::Delimiter> OptionCodec<file::Delimiter>::Parse(std::string_view text) {
  if (text == "tab" || text == "\t") return file::Delimiter{'\t'};
  const bool one = text.size() == 1 && text[0] > ' ' && text[0] <= '~' && text[0] != '"';
  const auto is_part_of_values = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '.' || c == '-' || c == '+';
  };
  if (one && !is_part_of_values(text[0])) return file::Delimiter{text[0]};
  return Error{ErrorCode::kInvalid, "must be one character, such as , or ; or |, or tab"};
}

std::string OptionCodec<file::Delimiter>::Format(const file::Delimiter& value) {
  return value.value == '\t' ? "tab" : std::string(1, value.value);
}

}  // namespace tower
