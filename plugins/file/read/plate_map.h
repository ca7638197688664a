// A plate map: a table in which each row describes one well of a plate.
#ifndef PLUGINS_FILE_READ_PLATE_MAP_H_
#define PLUGINS_FILE_READ_PLATE_MAP_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/options/options.h"
#include "core/trigger/plate.h"
#include "plugins/file/read/csv.h"
#include "plugins/file/read/refusal.h"

namespace tower::file {

// The size of the plate as configured.
struct PlateChoice {
  std::optional<PlateSize> size = std::nullopt;
  bool smallest = false;  // the smallest standard plate that has all wells
  bool given() const noexcept { return size.has_value() || smallest; }
};

// The columns that name the well of a row: `well`, or else `row` and `column`, in any case.
class WellColumns {
 public:
  // Refused: there is no such column, or there are two of one name.
  static OrRefusal<WellColumns> Find(const std::vector<std::string>& names);

  OrRefusal<Well> WellOf(const CsvRow& row) const;
  const std::set<std::size_t>& all() const noexcept { return all_; }

 private:
  std::optional<std::size_t> well_;
  std::size_t row_ = 0, column_ = 0;
  std::set<std::size_t> all_;
};

class PlateMap {
 public:
  explicit PlateMap(const PlateChoice& choice) : choice_(choice) {}

  struct Content {
    std::size_t line = 0;
    std::string spec;      // JSON; empty: the well is not used
    std::string metadata;  // JSON
  };
  // Refused: the well was added before, or is not on the plate.
  std::optional<Refusal> Add(const Well& well, Content content);

  // Whether no well is used.
  bool blank() const noexcept { return blank_; }
  PlateSize size() const;
  // Appends an array with an item for each well, column first: A1, B1, …. Unused wells are null.
  void AppendWells(std::string& out, std::string Content::*what) const;

 private:
  const PlateChoice choice_;
  bool blank_ = true;
  std::size_t rows_ = 0, columns_ = 0;                            // needed for all wells
  std::map<std::pair<std::size_t, std::size_t>, Content> wells_;  // by column and row
};

}  // namespace tower::file

namespace tower {

template <>
struct OptionCodec<file::PlateChoice> {
  static constexpr std::string_view kType = "a plate such as 96 or 8x12, or auto";
  static Result<file::PlateChoice> Parse(std::string_view text);
  static std::string Format(const file::PlateChoice& value);
};

}  // namespace tower

#endif  // PLUGINS_FILE_READ_PLATE_MAP_H_
