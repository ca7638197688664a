// Plates: their sizes, and the names of their wells.
#ifndef CORE_TRIGGER_PLATE_H_
#define CORE_TRIGGER_PLATE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

inline constexpr std::size_t kMaxPlateSide = 128;  // rows or columns that a trigger may have

// A well by its row and column, both counted from 1.
struct Well {
  std::size_t row = 0;
  std::size_t column = 0;
  friend bool operator==(const Well&, const Well&) = default;
};

struct PlateSize {
  std::size_t rows = 0;
  std::size_t columns = 0;
  friend bool operator==(const PlateSize&, const PlateSize&) = default;

  // Whether rows and columns are from 1 to kMaxPlateSide.
  bool IsValid() const noexcept;
  std::size_t wells() const noexcept { return rows * columns; }
  bool Has(const Well& well) const noexcept;
};

// The plates of 6, 12, 24, 48, 96, 384 and 1536 wells, smallest first.
inline constexpr std::array<PlateSize, 7> kStandardPlates = {
    {{2, 3}, {3, 4}, {4, 6}, {6, 8}, {8, 12}, {16, 24}, {32, 48}}};

// Digits that say a number from 1 to kMaxPlateSide; leading zeros are allowed.
std::optional<std::size_t> ParsePlateSide(std::string_view text);
// Rows and columns, such as `8x12`, or the number of wells of a standard plate, such as `96`.
std::optional<PlateSize> ParsePlateSize(std::string_view text);

// A well by its name, from `A1` to `DX128`: the letters of its row in either case, then its column,
// such as `a01`. Spaces and tabs around it are ignored.
std::optional<Well> ParseWell(std::string_view text);
// A row by its letters or its number, and a column by its number, in the same way.
std::optional<std::size_t> ParsePlateRow(std::string_view text);
std::optional<std::size_t> ParsePlateColumn(std::string_view text);

// `8x12`.
std::string ToString(const PlateSize& size);
// `B7`.
std::string ToString(const Well& well);

// Appends the member `plate` of a trigger: `{"rows":8,"columns":12}`.
void AppendJson(std::string& json, const PlateSize& size);

}  // namespace tower

#endif  // CORE_TRIGGER_PLATE_H_
