// Plate maps: wells and sizes, and the one trigger that a file becomes.
#include "plugins/file/read/plate_map.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/json/json.h"
#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;

TEST_CASE("a plate is given by its wells, by its sides, or found out", "[file][plate]") {
  using Codec = OptionCodec<PlateChoice>;
  for (const auto& [text, size] :
       std::vector<std::pair<std::string, PlateSize>>{{"6", {2, 3}},
                                                      {"12", {3, 4}},
                                                      {"24", {4, 6}},
                                                      {"48", {6, 8}},
                                                      {"96", {8, 12}},
                                                      {"384", {16, 24}},
                                                      {"1536", {32, 48}},
                                                      {"5x7", {5, 7}},
                                                      {"128x128", {128, 128}}}) {
    INFO(text);
    CHECK(Codec::Parse(text)->size == size);
  }
  CHECK(Codec::Format(*Codec::Parse("96")) == "8x12");
  CHECK(Codec::Parse("auto")->smallest);
  CHECK(Codec::Format(*Codec::Parse("auto")) == "auto");
  CHECK(Codec::Format({}).empty());
  for (const auto* text : {"", "95", "0x1", "1x129", "8x", "x12", "8x12x1", "8 x 12", "-8x12"}) {
    INFO(text);
    CHECK_FALSE(Codec::Parse(text));
  }
}

TEST_CASE("the smallest standard plate has all wells, those left alone too", "[file][plate]") {
  const auto [well, size] = GENERATE(table<std::string, PlateSize>({{"A1", {2, 3}},
                                                                    {"B3", {2, 3}},
                                                                    {"C1", {3, 4}},
                                                                    {"A8", {6, 8}},
                                                                    {"H12", {8, 12}},
                                                                    {"A13", {16, 24}},
                                                                    {"Q1", {32, 48}}}));
  PlateMap plate({.smallest = true});
  CHECK_FALSE(plate.Add(*ParseWell(well), {.line = 2, .spec = {}, .metadata = {}}));
  CHECK(plate.size() == size);
  CHECK(plate.blank());
}

TEST_CASE("wells stand column first, and those that are not listed are null", "[file][plate]") {
  PlateMap plate({.size = PlateSize{2, 2}});
  CHECK_FALSE(plate.Add({1, 2}, {.line = 2, .spec = "{\"n\":2}", .metadata = "{\"m\":2}"}));
  CHECK_FALSE(plate.Add({2, 1}, {.line = 3, .spec = "{\"n\":1}", .metadata = "{\"m\":1}"}));
  CHECK_FALSE(plate.Add({2, 2}, {.line = 4, .spec = "", .metadata = "{\"m\":3}"}));
  CHECK_FALSE(plate.blank());
  std::string spec, metadata;
  plate.AppendWells(spec, &PlateMap::Content::spec);
  plate.AppendWells(metadata, &PlateMap::Content::metadata);
  CHECK(spec == R"([null,{"n":1},{"n":2},null])");
  CHECK(metadata == R"([null,{"m":1},{"m":2},null])");
  const auto twice = plate.Add({1, 2}, {.line = 9, .spec = "{}", .metadata = {}});
  REQUIRE(twice);
  CHECK(twice->line == 9);
  CHECK(twice->why == "the well A2 is in line 2 already");
  const auto off = plate.Add({3, 1}, {.line = 10, .spec = "{}", .metadata = {}});
  REQUIRE(off);
  CHECK(off->line == 10);
  CHECK(off->why == "the well C1 is not on a plate of 2x2");
}

// --- Through the watcher ---

Options PlateOptions(const std::string& plate, Options more = {}) {
  Options options = {{"format", {"csv"}},
                     {"csv-events", {"plate"}},
                     {"plate", {plate}},
                     {"protocol", {"Pipet"}},
                     {"api-version", {"OT-2/v1"}}};
  for (auto& option : more) options.push_back(std::move(option));
  return options;
}

// The wells of a taken plate that are not null, "index: spec".
Strings WellsOf(const AcceptedTrigger& trigger, std::string_view member = "spec") {
  JsonTape tape;
  const auto root = tape.Read(trigger.body);
  REQUIRE(root);
  auto array = root->Find(member);
  if (member == "metadata") array = array->Find("spec");
  Strings wells;
  std::size_t index = 0;
  for (const auto& well : *array) {
    if (well.type() != JsonType::kNull) {
      wells.push_back(std::to_string(index) + ": " + std::string(well.text()));
    }
    ++index;
  }
  return wells;
}

TEST_CASE("a plate map becomes one plate trigger", "[file][plate]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(PlateOptions("8x12"));
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("plate.csv",
                  "Well,sample,volume\nA1,S1,10.0\nB1,S2,20\nH12,S3,\nC3,,\n\"D3\",\"\",\n");
  const auto taken = inbox.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("apiVersion":"OT-2/v1","protocol":"Pipet",)"
                                              R"("plate":{"rows":8,"columns":12},"spec":[)"));
  CHECK(WellsOf(taken[0]) == Strings{R"(0: {"sample":"S1","volume":10.0})",
                                     R"(1: {"sample":"S2","volume":20})", R"(19: {"sample":""})",
                                     R"(95: {"sample":"S3"})"});
  const auto origin = WellsOf(taken[0], "metadata");
  REQUIRE(origin.size() == 4);
  CHECK(origin[0] == "0: {\"path\":\"" + (inbox / "plate.csv") + "\",\"row\":1}");
  CHECK(watcher.Stop());
  CHECK(watcher.accepted.value() == 1);
}

TEST_CASE("the export of a plate reader is read: lines above, rows and columns apart",
          "[file][plate]") {
  Inbox inbox;
  REQUIRE(
      inbox
          .Watch(PlateOptions(
              "auto", {{"delimiter", {"tab"}}, {"csv-skip-lines", {"4"}}, {"pattern", {"*.txt"}}}))
          .WaitForSuccesses(1));
  inbox.WriteText("reader.txt",
                  "User: \"USER\tPath: C:\\Data\r\n"
                  "Test name: OD600 (\xB5-plate)\r\n"
                  "Date: 24.11.2026\tTime: 08:15:00\r\n"
                  "\r\n"
                  "Row\tColumn\tContent\tOD600\r\n"
                  "A\t1\tSample X1\t0.123\r\n"
                  "a\t02\tSample X2\t1.5E-2\r\n"
                  "D\t6\tBlank B\t0.045\r\n");
  const auto taken = inbox.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("plate":{"rows":4,"columns":6})"));
  CHECK(WellsOf(taken[0]) == Strings{R"(0: {"Content":"Sample X1","OD600":0.123})",
                                     R"(4: {"Content":"Sample X2","OD600":1.5E-2})",
                                     R"(23: {"Content":"Blank B","OD600":0.045})"});
}

TEST_CASE("a list of wells alone says which are used", "[file][plate]") {
  Inbox inbox;
  REQUIRE(inbox.Watch(PlateOptions("6")).WaitForSuccesses(1));
  inbox.WriteText("plate.csv", "well\nB1\n\nB3\n");
  CHECK(WellsOf(inbox.queue.Take(1).at(0)) == Strings{"1: {}", "5: {}"});
}

TEST_CASE("of a well and rows and columns, the well counts", "[file][plate]") {
  Inbox inbox;
  REQUIRE(inbox.Watch(PlateOptions("6")).WaitForSuccesses(1));
  inbox.WriteText("plate.csv", "row,column,WELL\nA,1,B2\n");
  CHECK(WellsOf(inbox.queue.Take(1).at(0)) == Strings{R"(3: {"row":"A","column":1})"});
}

TEST_CASE("a plate map with a well that can't be is refused with its line", "[file][plate]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(PlateOptions("96"));
  REQUIRE(watcher.WaitForSuccesses(1));
  const auto [text, why, where] = GENERATE(table<std::string, std::string, std::string>(
      {{"well,n\nA1,1\na01,2\n", "the well A1 is in line 2 already", "\"line\":3}"},
       {"well,n\nA1,1\nI1,2\n", "the well I1 is not on a plate of 8x12", "\"line\":3}"},
       {"n,well\n1,A1\n2,A\n", "expected a well, A1 to DX128, found A", "\"line\":3,\"column\":2"},
       {"row,column\nA,x\n", "expected a column of a plate", "\"line\":2,\"column\":2"},
       {"row,column\n?,1\n", "expected a row of a plate", "\"line\":2,\"column\":1"},
       {"n,well\n1,\n", "found nothing", "\"line\":2,\"column\":2"},
       {"row,n\nA,1\n", "a column well, or columns row and column; the columns are", "\"line\":1}"},
       {"well,Well\nA1,A1\n", "two columns are named well", "\"line\":1,\"column\":2"},
       {"well,n\nA1,\n", "no well has anything in it", ""},
       {"well,n\n", "no well has anything in it", ""}}));
  INFO(text);
  inbox.WriteText("plate.csv", text);
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  const auto log = inbox.logs.text();
  CHECK_THAT(log, ContainsSubstring(why));
  CHECK(log.find(where.substr(0, where.find('}'))) != std::string::npos);
  CHECK(inbox.queue.Empty());
}

}  // namespace
}  // namespace tower::file
