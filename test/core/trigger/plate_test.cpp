#include "core/trigger/plate.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace tower {
namespace {

std::string Shown(const std::optional<Well>& well) {
  return well ? std::to_string(well->row) + "," + std::to_string(well->column) : "none";
}

TEST_CASE("wells are named by letters and a number", "[trigger][plate]") {
  CHECK(Shown(ParseWell("A1")) == "1,1");
  CHECK(Shown(ParseWell("a01")) == "1,1");
  CHECK(Shown(ParseWell(" H12 ")) == "8,12");
  CHECK(Shown(ParseWell("Z1")) == "26,1");
  CHECK(Shown(ParseWell("AA1")) == "27,1");
  CHECK(Shown(ParseWell("AF48")) == "32,48");
  CHECK(Shown(ParseWell("DX128")) == "128,128");
  for (const auto* text : {"", "A", "1", "A0", "0A", "A-1", "A1B", "A 1", "DY1", "AAA1", "A129",
                           "A1.0", "A99999999999999999999",
                           "\xC3\x84"
                           "1"}) {
    INFO(text);
    CHECK(Shown(ParseWell(text)) == "none");
  }
  for (const auto* name : {"A1", "Z26", "AA27", "AZ1", "BA1", "DX128"}) {
    CHECK(ToString(*ParseWell(name)) == name);
  }
}

TEST_CASE("rows are letters or numbers, columns numbers", "[trigger][plate]") {
  CHECK(ParsePlateRow("b") == 2);
  CHECK(ParsePlateRow("02") == 2);
  CHECK(ParsePlateRow(" AF") == 32);
  CHECK(ParsePlateColumn("07 ") == 7);
  for (const auto* text : {"", "0", "129", "-1", "1.5"}) {
    CHECK_FALSE(ParsePlateRow(text));
    CHECK_FALSE(ParsePlateColumn(text));
  }
  CHECK_FALSE(ParsePlateColumn("B"));
}

TEST_CASE("a plate size is rows and columns, or the wells of a standard plate",
          "[trigger][plate]") {
  for (const auto& plate : kStandardPlates) {
    CHECK(ParsePlateSize(std::to_string(plate.wells())) == plate);
    CHECK(ParsePlateSize(ToString(plate)) == plate);
  }
  CHECK(ParsePlateSize("5x7") == PlateSize{5, 7});
  CHECK(ParsePlateSize("08x012") == PlateSize{8, 12});
  CHECK(ParsePlateSize("128x128") == PlateSize{128, 128});
  for (const auto* text :
       {"", "95", "0", "0x1", "1x129", "8x", "x12", "8x12x1", "8 x 12", "-8x12", "auto"}) {
    INFO(text);
    CHECK_FALSE(ParsePlateSize(text));
  }
}

TEST_CASE("a plate has the wells within its rows and columns", "[trigger][plate]") {
  constexpr PlateSize kPlate{8, 12};
  CHECK(kPlate.wells() == 96);
  CHECK(kPlate.Has({1, 1}));
  CHECK(kPlate.Has({8, 12}));
  for (const Well& well : {Well{0, 1}, Well{1, 0}, Well{9, 1}, Well{1, 13}}) {
    CHECK_FALSE(kPlate.Has(well));
  }
  CHECK(kPlate.IsValid());
  CHECK(PlateSize{128, 128}.IsValid());
  for (const auto& size :
       {PlateSize{0, 1}, PlateSize{1, 0}, PlateSize{129, 1}, PlateSize{1, 129}}) {
    CHECK_FALSE(size.IsValid());
  }
  std::string json = "x";
  AppendJson(json, kPlate);
  CHECK(json == R"(x{"rows":8,"columns":12})");
}

}  // namespace
}  // namespace tower
