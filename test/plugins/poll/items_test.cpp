#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>

#include "test/plugins/poll/fixture.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;
const PollFixture::Options kById = {{"items", {"/items"}}, {"id", {"/spec/id"}}};

PollFixture::Options With(PollFixture::Options options, const PollFixture::Options& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

TEST_CASE("each item becomes a trigger once, byte for byte", "[poll]") {
  PollFixture f;
  f.Answer(List({Item("1", "A", R"(,"x":1.0)"), Item("2", "B")}));
  f.Start("/orders", kById);
  const auto first = f.queue.Take(2);
  REQUIRE(first.size() == 2);
  CHECK(first[0].protocol + first[1].protocol == "AB");
  CHECK_THAT(first[0].body, ContainsSubstring(R"("spec":{"id":1,"x":1.0}})"));
  CHECK(first[0].source == "test");
  f.Answer(List({Item("3", "C"), Item("1", "A2"), Item("2", "B")}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"C"});
  CHECK(f.Looks(2));
  f.Restart("/orders", kById);
  CHECK(f.Looks(1));
  CHECK(f.watcher->Stop());
  CHECK(f.queue.Empty());
}

TEST_CASE("an item that has changed is an event where that is asked for", "[poll]") {
  PollFixture f;
  const auto options = With(kById, {{"fire-on", {"changed"}}});
  f.Answer(List({Item("1", "A"), Item("2", "B")}));
  f.Start("/", options);
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "B"});
  f.Answer(List({Item("1", "A2"), Item("2", "B")}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"A2"});
  f.Restart("/", options);
  CHECK(f.Looks(1));
  f.Answer(List({Item("1", "A"), Item("2", "B")}));  // back to what it was is a change as well
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(f.Looks(1));
  CHECK(f.queue.Empty());
}

TEST_CASE("an item that a list has twice counts as it comes first", "[poll]") {
  PollFixture f;
  f.Answer(List({Item("1", "A"), Item("1", "B"), Item("2", "C"), Item("1", "A")}));
  f.Start("/", With(kById, {{"fire-on", {"changed"}}}));
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "C"});
  CHECK(f.Looks(3));  // it does not change from look to look
  CHECK(f.queue.Empty());
}

TEST_CASE("a page of thousands of items goes to the queue in parts", "[poll]") {
  PollFixture f;
  constexpr int kItems = 2500;
  Strings items;
  for (int n = 0; n < kItems; ++n) items.push_back(Item(std::to_string(n), "P"));
  f.Answer(List(items));
  f.Start("/", kById);
  std::set<std::string> specs;
  for (const auto& trigger : f.queue.Take(kItems)) {
    specs.insert(trigger.body.substr(trigger.body.find("spec")));
  }
  CHECK(specs.size() == kItems);
  f.Restart("/", kById);
  CHECK(f.Looks(1));
  CHECK(f.queue.Empty());
}

TEST_CASE("ids are told apart by every digit, and may be anything a string can be", "[poll]") {
  PollFixture f;
  const std::string long_id(5000, 'x');
  const Strings ids = {
      "12345678901234567890", "12345678901234567891", "1.0", "1", R"("a b/\"é")", "\"\"",
      "\"" + long_id + "1\"", "\"" + long_id + "2\""};
  Strings items;
  for (const auto& id : ids) items.push_back(Item(id, "P"));
  f.Answer(List(items));
  f.Start("/", kById);
  CHECK(f.queue.Take(ids.size()).size() == ids.size());
  f.Restart("/", kById);
  CHECK(f.Looks(1));
  CHECK(f.queue.Empty());
}

TEST_CASE("without an id an item is known by its content", "[poll]") {
  PollFixture f;
  f.Answer("[" + Item("1", "A") + "," + Item("1", "A") + "," + Item("1", "B") + "]");
  f.Start("/", {{"items", {"#"}}});
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "B"});
  f.Answer("[" + Item("1", "B") + ", " + Item("1", "C") + "]");
  CHECK(f.queue.TakeProtocols(1) == Strings{"C"});
  f.Restart("/", {{"items", {"#"}}});
  CHECK(f.Looks(1));
  CHECK(f.queue.Empty());
}

TEST_CASE("without items the document is the event, whenever it has changed", "[poll]") {
  PollFixture f;
  f.Answer(Item("1", "A"));
  f.Start("/state");
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  f.Answer("[" + Item("1", "B") + "," + Item("2", "C") + "]");
  CHECK(f.queue.TakeProtocols(2) == Strings{"B", "C"});
  f.Restart("/state");
  CHECK(f.Looks(1));
  f.Answer(Item("1", "A"));  // what it was before
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(f.Looks(1));
  CHECK(f.queue.Empty());
}

TEST_CASE("a pointer to something else than a list watches that part of the document", "[poll]") {
  PollFixture f;
  f.Answer(R"({"at":1,"now":)" + Item("1", "A") + "}");
  f.Start("/", {{"items", {"/now"}}});
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  f.Answer(R"({"at":2,"now":)" + Item("1", "A") + "}");
  CHECK(f.Looks(2));
  f.Answer(R"({"at":3,"now":null})");  // nothing there
  CHECK(f.Looks(2));
  CHECK(f.queue.Empty());
  f.Answer(R"({"at":4,"now":)" + Item("1", "B") + "}");
  CHECK(f.queue.TakeProtocols(1) == Strings{"B"});
}

TEST_CASE("what is there at the very first look can be skipped", "[poll]") {
  PollFixture f;
  const auto options = With(kById, {{"initial", {"skip"}}});
  f.Answer(List({Item("1", "A")}));
  f.Start("/", options);
  CHECK(f.Looks(1));
  f.Answer(List({Item("1", "A"), Item("2", "B")}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"B"});
  f.Stop();
  f.Answer(List({Item("1", "A"), Item("2", "B"), Item("3", "C")}));
  f.Restart("/", options);  // not the first look of this watcher
  CHECK(f.queue.TakeProtocols(1) == Strings{"C"});
}

TEST_CASE("an item is new again once it was gone for long enough", "[poll]") {
  PollFixture f;
  std::string forget_after = "1h";
  SECTION("a while") {}
  SECTION("at once") { forget_after = "0s"; }
  const auto options = With(kById, {{"forget-after", {forget_after}}});
  f.Answer(List({Item("1", "A"), Item("2", "B")}));
  f.Start("/", options);
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "B"});
  f.Answer(List({Item("2", "B")}));
  CHECK(f.Looks(2));
  f.Restart("/", options);
  CHECK(f.Looks(1));
  CHECK((*f.queue).Checkpoint("test", "i:1")->has_value() == (forget_after == "1h"));
  f.Answer(List({Item("1", "A"), Item("2", "B")}));
  if (forget_after == "1h") {
    CHECK(f.Looks(2));
    CHECK(f.queue.Empty());
  } else {
    CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  }
}

TEST_CASE("what is known grows with the list and not with time", "[poll]") {
  std::atomic<int> number = 0;
  PollFixture f;
  f.Answer([&](const ServedRequest&) {
    return ServedAnswer{.body = List({Item(std::to_string(++number), "P")})};
  });
  f.Start("/", With(kById, {{"forget-after", {"0s"}}}));
  CHECK(f.queue.Take(5).size() == 5);
  f.Stop();
  const auto all = (*f.queue).Checkpoints("test");
  REQUIRE(all);
  CHECK(all->size() <= 3);  // the last item or two, and that a look was completed
}

TEST_CASE("an item that can't be a trigger is named once, and the others are taken", "[poll]") {
  const CapturedLogs logs;
  PollFixture f;
  const std::string uuid = R"(,"uuid":"01890a5d-ac96-774b-bcce-b302099a8057"})";
  const auto with_uuid = [&](const std::string& id, const std::string& protocol) {
    auto item = Item(id, protocol);
    item.pop_back();
    return item + uuid;
  };
  f.Answer(
      List({Item("1", "A"), R"({"spec":{"id":2}})", R"({"spec":{}})", "17",
            R"({"spec":{"id":null}})", with_uuid("5", "E"), with_uuid("6", "F"), Item("7", "G")}));
  f.Start("/", kById);
  CHECK(f.queue.TakeProtocols(3) == Strings{"A", "E", "G"});
  CHECK(f.Looks(2));
  CHECK(f.watcher->rejected.value() == 5);
  CHECK_THAT(logs.text(), ContainsSubstring(R"("item":"item 2")") && ContainsSubstring("item 6") &&
                              ContainsSubstring("it has no /spec/id"));
  f.Answer(List({Item("2", "B"), Item("6", "F")}));  // mended
  CHECK(f.queue.TakeProtocols(2) == Strings{"B", "F"});
  CHECK(f.watcher->rejected.value() == 5);
}

TEST_CASE("what was refused is tried again after a restart", "[poll]") {
  PollFixture f;
  f.Answer(ServedAnswer{.body = List({R"({"spec":{"id":2}})"}), .headers = {{"ETag", "\"1\""}}});
  f.Start("/", kById);
  CHECK(Eventually([&] { return f.watcher->rejected.value() == 1; }));
  CHECK(f.Looks(1));
  f.Restart("/", kById);
  CHECK(Eventually([&] { return f.watcher->rejected.value() == 1; }));
  for (const auto& request : f.Requests()) CHECK(request.Header("if-none-match").empty());
}

TEST_CASE("a map makes the triggers of an item, or none", "[poll]") {
  const CapturedLogs logs;
  PollFixture f;
  const auto options =
      With(kById, {{"map",
                    {R"(event.spec.id > 1 and {apiVersion="M/v1", protocol="Map" .. event.spec.id,)"
                     R"( spec={of=event.protocol}} or nil)"}}});
  f.Answer(List({Item("1", "A"), Item("2", "B"), R"({"spec":{"id":"x"}})", Item("3", "C")}));
  f.Start("/", options);
  const auto taken = f.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].protocol + taken[1].protocol == "Map2Map3");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"({"of":"B"})"));
  CHECK(f.Looks(2));
  CHECK(f.watcher->rejected.value() == 1);
  CHECK_THAT(logs.text(), ContainsSubstring(R"("item":"item x")"));
  f.Restart("/", options);
  CHECK(f.Looks(2));
  CHECK(f.queue.Empty());
}

TEST_CASE("headers and a token are sent, and the answer is asked for as JSON", "[poll]") {
  PollFixture f;
  f.Start("/x?y=1", {{"header", {"X-Lab:  robots ", "Prefer: a, b"}},
                     {"token", {"s3cret"}},
                     {"items", {"/items"}}});
  CHECK(f.Looks(1));
  const auto request = f.Requests().front();
  CHECK(request.target == "/x?y=1");
  CHECK(request.Header("x-lab") == "robots");
  CHECK(request.Header("prefer") == "a, b");
  CHECK(request.Header("authorization") == "Bearer s3cret");
  CHECK(request.Header("accept") == "application/json");
  f.Stop();
  f.Start("/", {{"header", {"accept: application/hal+json"}}, {"items", {"/items"}}});
  CHECK(f.Looks(1));
  CHECK(f.Requests().back().Header("accept") == "application/hal+json");
}

// A service that knows what it has sent: answers 304 to those who have it.
HttpService::Handler Validated(std::string body, std::pair<std::string, std::string> validator,
                               std::string condition) {
  return [=](const ServedRequest& request) -> ServedAnswer {
    if (request.Header(condition) == validator.second) return {.status = 304};
    return {.body = body, .headers = {validator}};
  };
}

TEST_CASE("a service that says what has changed is asked for nothing else", "[poll]") {
  PollFixture f;
  std::string condition = "if-none-match";
  std::pair<std::string, std::string> validator = {"ETag", "W/\"1\""};
  SECTION("ETag") {}
  SECTION("Last-Modified") {
    condition = "if-modified-since";
    validator = {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"};
  }
  f.Answer(Validated(List({Item("1", "A")}), validator, condition));
  f.Start("/", kById);
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(f.Looks(2));
  CHECK(f.Requests().back().Header(condition) == validator.second);
  auto before = f.Requests().size();
  f.Restart("/", kById);
  CHECK(f.Looks(1));
  CHECK(f.Requests().at(before).Header(condition) == validator.second);  // after a restart, too
  f.Restart("/", With(kById, {{"fire-on", {"changed"}}}));  // who asks otherwise, asks for all
  before = f.Requests().size();
  f.Restart("/other", kById);
  CHECK(f.Looks(1));
  CHECK(f.Requests().at(before + 1).path == "/other");
  f.Answer(Validated(List({Item("2", "B")}), {validator.first, validator.second + "2"}, condition));
  CHECK(f.queue.TakeProtocols(1) == Strings{"B"});
}

}  // namespace
}  // namespace tower
