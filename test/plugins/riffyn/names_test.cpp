#include "plugins/riffyn/names.h"

#include <catch2/catch_test_macros.hpp>
#include <utility>
#include <vector>

#include "plugins/riffyn/escape.h"

namespace tower::riffyn {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("an activity's name becomes a protocol in PascalCase", "[riffyn]") {
  for (const auto& [name, protocol] : Pairs{{"Serial Dilution", "SerialDilution"},
                                            {"serial dilution", "SerialDilution"},
                                            {"SerialDilution", "SerialDilution"},
                                            {"  read   OD 600nm ", "ReadOD600nm"},
                                            {"mix-and_match/2 (fast)", "MixAndMatch2Fast"},
                                            {"pH", "PH"},
                                            {"été", "été"},
                                            {"- ", ""},
                                            {"", ""}}) {
    CHECK(PascalCase(name) == protocol);
  }
}

TEST_CASE("a property's name becomes a member in camelCase", "[riffyn]") {
  for (const auto& [name, member] : Pairs{{"measurement wavelength", "measurementWavelength"},
                                          {"Measurement Wavelength", "measurementWavelength"},
                                          {"measurementWavelength", "measurementWavelength"},
                                          {"OD600", "od600"},
                                          {"OD 600", "od600"},
                                          {"DNAVolume", "dnaVolume"},
                                          {"A volume", "aVolume"},
                                          {"A", "a"},
                                          {"NaCl conc.", "naClConc"},
                                          {"pH", "pH"},
                                          {"96 wells", "96Wells"},
                                          {"(Volume) [µL]", "volumeµL"},
                                          {"/", ""},
                                          {"", ""}}) {
    CHECK(CamelCase(name) == member);
  }
}

TEST_CASE("a resource is an API version when it is named as one", "[riffyn]") {
  for (const auto* yes :
       {"OT-2/v1alpha1", "ChiBio/v1alpha1/Reactor1", "a/v1", "A.b_c/v12beta3/0", "X/v2/a-b.c"}) {
    INFO(yes);
    CHECK(IsApiVersion(yes));
  }
  for (const auto* no : {"",
                         "Glucose",
                         "OT-2",
                         "OT-2/",
                         "OT-2/1",
                         "OT-2/v",
                         "OT-2/v1alpha",
                         "OT-2/v1alpha1beta2",
                         "OT-2/v1gamma1",
                         "OT-2/V1",
                         "OT-2/v1alpha1x",
                         "/v1",
                         "-a/v1",
                         "a b/v1",
                         "a/v1/",
                         "a/v1/b/c",
                         "a/v1/b c",
                         " a/v1",
                         "a/v1 ",
                         "µ/v1",
                         "v1",
                         "Tris/HCl buffer"}) {
    INFO(no);
    CHECK_FALSE(IsApiVersion(no));
  }
  CHECK(IsApiVersion(std::string(197, 'a') + "/v1"));
  CHECK_FALSE(IsApiVersion(std::string(198, 'a') + "/v1"));
}

TEST_CASE("a run named as a well is one", "[riffyn]") {
  const auto well = ParseWell("growth [x] [8x12] 007");
  REQUIRE(well);
  CHECK(well->plate == "growth [x]");
  CHECK(well->rows == 8);
  CHECK(well->columns == 12);
  CHECK(well->number == 7);
  CHECK(well->Exists());
  for (const auto* no : {"growth", "growth 1", "growth [8x12]", "growth [8x12] ", "growth [8x12] a",
                         "growth [8x12]1", "growth[8x12] 1", "[8x12] 1", " [8x12] 1",
                         "growth [8X12] 1", "growth [x12] 1", "growth [8x] 1", "growth [8 x 12] 1",
                         "growth [8x12] -1", "growth [8x12] 1 "}) {
    INFO(no);
    CHECK_FALSE(ParseWell(no));
  }
}

TEST_CASE("a well that no plate has does not exist", "[riffyn]") {
  for (const auto* there : {"a [1x1] 1", "a [8x12] 96", "a [128x128] 16384", "a [08x012] 0096"}) {
    INFO(there);
    REQUIRE(ParseWell(there));
    CHECK(ParseWell(there)->Exists());
  }
  for (const auto* nowhere :
       {"a [8x12] 97", "a [8x12] 0", "a [0x12] 1", "a [8x0] 1", "a [129x1] 1", "a [1x129] 1",
        "a [4294967297x1] 1", "a [1x1] 4294967297", "a [65536x65536] 1"}) {
    INFO(nowhere);
    REQUIRE(ParseWell(nowhere));
    CHECK_FALSE(ParseWell(nowhere)->Exists());
  }
}

TEST_CASE("what is escaped comes back, and has no slash", "[riffyn]") {
  for (const std::string text : {"", "tQpD6kNZ", "a/b", "a b%2F", "..", ".", "µ?&=#", "\x01\xff"}) {
    const auto escaped = Escape(text);
    CHECK(escaped.find_first_of("/ ?&=#") == std::string::npos);
    CHECK(escaped != "..");
    CHECK(Unescape(escaped) == text);
  }
  CHECK(Escape("a/b c-._~") == "a%2Fb%20c-._~");
  for (const auto* no : {"%", "%2", "%2f", "%GG", "a b", "%61", ".."}) CHECK_FALSE(Unescape(no));
}

}  // namespace
}  // namespace tower::riffyn
