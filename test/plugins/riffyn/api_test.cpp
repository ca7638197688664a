#include "plugins/riffyn/api.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <stop_token>

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a run is read in snake_case and in camelCase", "[riffyn]") {
  const std::string json = GENERATE(
      R"({"data":[{"id":"r","name":"n","num":7,"status":"running","activity_id":"a","group_id":"g",
          "inputs":[{"resource_name":"X/v1","resource_def_id":"i"},
                    {"resource_name":"Glucose","resource_def_id":"j"},{"resource_name":null}]}]})",
      R"({"data":[{"id":"r","name":"n","num":7,"status":"running","activityId":"a","groupId":"g",
          "activity_id":null,"inputs":[{"resourceName":"X/v1","resourceDefId":"i"},5]}]})");
  const auto page = ReadRuns(json, "other");
  REQUIRE(page);
  REQUIRE(page->items.size() == 1);
  const auto& run = page->items[0];
  CHECK(run.id + run.name + run.number + run.activity + run.group == "rn7ag");
  CHECK(run.state == RunState::kRunning);
  REQUIRE(run.resources.size() == 1);
  CHECK(run.resources[0].name + run.resources[0].input == "X/v1i");
}

TEST_CASE("a run that lacks what is needed is unknown, not stopped", "[riffyn]") {
  const auto page = ReadRuns(R"({"data":[
      {"id":"a","status":"running","num":1}, {"id":"b","status":"running","activity_id":"x"},
      {"id":"c","status":"paused"}, {"id":"d"}, {"id":"e","status":"stopped"},
      {"id":"f","status":"deleted"}, {"name":"no id","status":"running"}, 5, null]})",
                             "g");
  REQUIRE(page);
  CHECK(page->size == 9);
  REQUIRE(page->items.size() == 6);
  for (int i = 0; i < 4; ++i)
    CHECK(page->items[static_cast<std::size_t>(i)].state == RunState::kUnknown);
  CHECK_THAT(page->items[2].problem, ContainsSubstring("paused"));
  CHECK(page->items[4].state == RunState::kIdle);
  CHECK(page->items[5].state == RunState::kDeleted);
  CHECK(page->items[0].group == "g");
}

TEST_CASE("what is no answer is an error of the place", "[riffyn]") {
  for (const auto* text : {"", "<html>", "[]", "{}", "5", R"({"data":{}})", R"({"data":[)",
                           R"({"data":null,"datatables":[],"id":null})", "\xff"}) {
    INFO(text);
    for (const auto& error : {ReadIds(text).error(), ReadRuns(text, "g").error(),
                              ReadActivity(text).error(), ReadRawData(text).error()}) {
      CHECK(error.code == ErrorCode::kNotFound);
    }
  }
}

TEST_CASE("raw data is the first row of each table, byte for byte and without nulls", "[riffyn]") {
  const auto data = ReadRawData(R"({"datatables":{
      "r":{"datatable":[{"x":1.0,"y":null,"z":{"a":[1e2, "µ"]}},{"x":2}]},
      "empty":{"datatable":[]}, "none":{}, "odd":{"datatable":[[1]]}, "null":null}})");
  REQUIRE(data);
  CHECK(data->size() == 3);
  CHECK(data->at("r") == Row{{"x", "1.0"}, {"z", R"({"a":[1e2, "µ"]})"}});
  CHECK(data->at("empty").empty());
  CHECK_FALSE(data->contains("none"));
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

TEST_CASE("the service is down after three failures in a row", "[riffyn]") {
  Throttle throttle;
  const Error fault{ErrorCode::kUnavailable, "a fault"};
  throttle.BeginPoll();
  throttle.RecordFailure(fault);
  throttle.RecordFailure(fault);
  throttle.RecordSuccess();
  throttle.RecordFailure(fault);
  throttle.RecordFailure(fault);
  CHECK_FALSE(throttle.Outage());
  throttle.RecordFailure({ErrorCode::kTimeout, "the last"});
  REQUIRE(throttle.Outage());
  CHECK(throttle.Outage()->message == "the last");
  throttle.RecordSuccess();  // by another thread, late
  CHECK(throttle.Outage());
  throttle.BeginPoll();
  CHECK_FALSE(throttle.Outage());
  throttle.Trip(fault);
  CHECK(throttle.Outage());
}

TEST_CASE("a pause is reported once while it lasts from poll to poll", "[riffyn]") {
  Throttle throttle;
  std::string news;
  for (const bool pauses : {true, true, false, true}) {
    throttle.BeginPoll();
    if (pauses) news += throttle.Pause(std::chrono::milliseconds(1)) ? 'x' : '.';
    if (pauses) CHECK_FALSE(throttle.Pause(std::chrono::milliseconds(1)));
  }
  CHECK(news == "x.x");
  std::stop_source stop;
  CHECK(throttle.Wait(stop.get_token()));
  throttle.Pause(std::chrono::hours(24));
  stop.request_stop();
  CHECK_FALSE(throttle.Wait(stop.get_token()));
}

}  // namespace
}  // namespace tower::riffyn
