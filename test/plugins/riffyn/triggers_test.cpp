#include "plugins/riffyn/triggers.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <utility>
#include <vector>

#include "test/plugins/riffyn/runs.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;
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

const Activity kActivity{"Serial dilution",
                         {{"in", {{"p", "Volume"}, {"q", "mix speed"}}}, {"bare", {}}}};

Row MakeRow(const std::string& p, const std::string& q = {}) {
  Row row{{"act | input | in | p | value", p}};
  if (!q.empty()) row.emplace("act | input | in | q | value", q);
  return row;
}

TEST_CASE("two inputs of one resource make one trigger", "[riffyn]") {
  const Activity activity{"A", {{"in", {{"p", "x"}}}, {"two", {{"q", "y"}, {"r", "X"}}}}};
  auto run = MakeRun("r", "n");
  run.resources.push_back({"X/v1", "two"});
  run.resources.push_back({"X/v1", "in"});
  const Start start{std::nullopt, {&run}};
  Row row{{"act | input | in | p | value", "1"}, {"act | input | two | q | value", "2"}};
  auto composed = Compose("e", start, activity, {{"r", row}});
  REQUIRE(composed.triggers.size() == 1);
  CHECK_THAT(std::string(composed.triggers[0].json()),
             ContainsSubstring(R"("spec":{"x":1,"y":2})"));
  row["act | input | two | r | value"] = "1";  // the same once more
  composed = Compose("e", start, activity, {{"r", row}});
  REQUIRE(composed.triggers.size() == 1);
  CHECK_THAT(std::string(composed.triggers[0].json()),
             ContainsSubstring(R"("spec":{"x":1,"y":2})"));
  row["act | input | two | r | value"] = "3";
  composed = Compose("e", start, activity, {{"r", row}});
  CHECK(composed.triggers.empty());
  REQUIRE(composed.faults.size() == 1);
  CHECK_THAT(composed.faults[0], ContainsSubstring("X/v1") && ContainsSubstring("are named x"));
}

TEST_CASE("what can't be made for one API version is made for the others", "[riffyn]") {
  auto run = MakeRun("r", "n");
  run.resources.push_back({"Y/v1", "nowhere"});
  const Start start{std::nullopt, {&run}};
  auto composed = Compose("e", start, kActivity, {{"r", MakeRow("1")}});
  CHECK(composed.triggers.size() == 1);
  REQUIRE(composed.faults.size() == 1);
  CHECK_THAT(composed.faults[0],
             ContainsSubstring("Y/v1: run r: the activity has no input nowhere"));

  composed = Compose("e", start, Activity{"", kActivity.inputs}, {{"r", MakeRow("1")}});
  CHECK(composed.triggers.empty());
  CHECK_THAT(composed.faults.at(0), ContainsSubstring("/protocol"));

  const Activity nameless{"A", {{"in", {{"p", "()"}}}}};
  CHECK_THAT(Compose("e", start, nameless, {{"r", MakeRow("1")}}).faults.at(0),
             ContainsSubstring("a property has no name: p"));
  CHECK(Compose("e", start, nameless, {{"r", {}}}).triggers.size() == 1);
}

TEST_CASE("the data of a run is needed where its resources have properties", "[riffyn]") {
  auto with = MakeRun("a", "n"), without = MakeRun("b", "n");
  without.resources = {{"X/v1", "bare"}, {"Y/v1", "nowhere"}};
  const Start start{std::nullopt, {&without, &with}};
  CHECK(RunsWithData(start, kActivity) == std::vector<const Run*>{&with});
}

}  // namespace
}  // namespace tower::riffyn
