#include "core/trigger/trigger.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tower {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr auto kUuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"sv;
constexpr auto kPlain =
    R"({"apiVersion":"OT-2/v1alpha1","protocol":"Mix","spec":{"volume":1.0}})"sv;

// Pointer to detail, of a text that must be refused.
std::map<std::string, std::string> FaultsOf(std::string_view json) {
  const auto triggers = ParseTriggers(json);
  std::map<std::string, std::string> faults;
  if (triggers) return {{"accepted", std::string(json)}};
  for (const Fault& fault : triggers.error()) faults[fault.pointer] += fault.detail;
  return faults;
}

std::vector<std::string> PointersOf(std::string_view json) {
  std::vector<std::string> pointers;
  for (const auto& fault : FaultsOf(json)) pointers.push_back(fault.first);
  return pointers;
}

using Pointers = std::vector<std::string>;

std::string WithNames(std::string_view api_version, std::string_view protocol) {
  std::string json = R"({"spec":{},"apiVersion":)";
  AppendJsonString(json, api_version);
  json.append(R"(,"protocol":)");
  AppendJsonString(json, protocol);
  return json + "}";
}

// A trigger with more members behind the required ones.
std::string With(std::string_view more, std::string_view spec = "{}") {
  return R"({"apiVersion":"A/v1","protocol":"P","spec":)" + std::string(spec) + "," +
         std::string(more) + "}";
}

TEST_CASE("a trigger is read", "[trigger]") {
  const auto trigger = Trigger::Parse(kPlain);
  REQUIRE(trigger);
  CHECK(trigger->api_version() == "OT-2/v1alpha1");
  CHECK(trigger->protocol() == "Mix");
  CHECK_FALSE(trigger->uuid());
  CHECK(trigger->json() == kPlain);
  CHECK_FALSE(trigger->empty());
  CHECK(Trigger().empty());
}

TEST_CASE("every byte inside a trigger is kept, and the uuid spliced in", "[trigger]") {
  constexpr auto kText =
      "\r\n {\n \"protocol\" : \"M\\u0069x\",\t\"spec\": {\"b\":1.0,\"a\":"
      "12345678901234567890,\"c\":1E400,\"d\":-0,\"s\":\"\\/\\u00e9\xC3\xA9\","
      "\"e\":[ ]},\n\"apiVersion\":\"A\\/v1\" }\n\n"sv;
  const auto trigger = Trigger::Parse(kText);
  REQUIRE(trigger);
  CHECK(trigger->protocol() == "Mix");
  CHECK(trigger->api_version() == "A/v1");
  const auto inside = kText.substr(3, kText.size() - 5);
  CHECK(trigger->json() == inside);
  CHECK(trigger->BodyWith(*Uuid::Parse(kUuid)) ==
        "{\"uuid\":\"" + std::string(kUuid) + "\"," + std::string(inside.substr(1)));
}

TEST_CASE("a uuid that the sender gave stays as it was written", "[trigger]") {
  const auto json = With(R"("uuid":"017F22E2-79B0-7CC3-98C4-DC0C0C07398F")");
  const auto trigger = Trigger::Parse(json);
  REQUIRE(trigger);
  REQUIRE(trigger->uuid());
  CHECK(trigger->uuid()->ToString() == kUuid);
  CHECK(trigger->BodyWith(*trigger->uuid()) == json);
  for (const auto* bad : {R"("")", "null", "7", R"("017f22e279b07cc398c4dc0c0c07398f")",
                          R"(" 017f22e2-79b0-7cc3-98c4-dc0c0c07398f")", R"(["x"])"}) {
    CAPTURE(bad);
    CHECK(PointersOf(With("\"uuid\":"s + bad)) == Pointers{"/uuid"});
  }
}

TEST_CASE("a text that is no object is no trigger", "[trigger]") {
  for (const auto* text : {"1", "null", "\"x\"", "true", "", "   ", "{", "[1]x"}) {
    CAPTURE(text);
    CHECK(PointersOf(text) == Pointers{""});
  }
  CHECK(Trigger::Parse("[]").error().front().detail ==
        "expected a trigger, a JSON object, found an array");
}

TEST_CASE("every fault of a trigger is named", "[trigger]") {
  const auto faults = FaultsOf(
      R"({"apiVersion":" a","spec":[],"foo/~":1,"foo":{},"uuid":3,"plate":{"rows":0,"x":1},"metadata":{"source":1,"spec":{}}})");
  Pointers pointers;
  for (const auto& fault : faults) pointers.push_back(fault.first);
  CHECK(pointers == Pointers{"/apiVersion", "/foo", "/foo~1~0", "/metadata/source",
                             "/metadata/spec", "/plate/columns", "/plate/rows", "/plate/x",
                             "/protocol", "/uuid"});
  CHECK(faults.at("/protocol") == "missing; every trigger has this string");
  CHECK(faults.at("/uuid") == "expected a string, found a number");
  CHECK(PointersOf("{}") == Pointers{"/apiVersion", "/protocol", "/spec"});
}

TEST_CASE("a fault tells the byte", "[trigger]") {
  const auto faults = Trigger::Parse(R"( {"apiVersion": 1,"protocol":"P", "x":0})");
  REQUIRE_FALSE(faults);
  std::map<std::string, std::size_t> offsets;
  for (const Fault& fault : faults.error()) offsets[fault.pointer] = fault.offset;
  CHECK(offsets ==
        std::map<std::string, std::size_t>{{"/apiVersion", 16}, {"/spec", 1}, {"/x", 34}});
}

TEST_CASE("names are printable ASCII of a bounded size", "[trigger]") {
  const auto ok = [](std::string_view name) { return bool(Trigger::Parse(WithNames(name, "P"))); };
  for (const auto name : {"A"sv, "A/v1"sv, "/x"sv, "a//b"sv, "a/"sv, "*#"sv, "!~\"\\"sv})
    CHECK(ok(name));
  for (const auto name : {""sv, " "sv, "a b"sv, "a\t"sv, "\x7f"sv, "é"sv, "a\0"sv, "\n"sv}) {
    CAPTURE(name);
    CHECK_FALSE(ok(name));
    CHECK(PointersOf(WithNames("A", name)) == Pointers{"/protocol"});
  }
  CHECK(ok(std::string(200, 'a')));
  CHECK_FALSE(ok(std::string(201, 'a')));
  CHECK(FaultsOf(WithNames(std::string(201, ' '), "P")).at("/apiVersion") ==
        "201 bytes; at most 200only printable ASCII without spaces is allowed");
}

TEST_CASE("the routing key is bounded", "[trigger]") {
  const std::string name(127, 'a');
  CHECK(Trigger::Parse(WithNames(name, name)));
  CHECK(FaultsOf(WithNames(name, name + "a")) ==
        std::map<std::string, std::string>{
            {"/protocol", "makes a routing key of 256 bytes with apiVersion; at most 255"}});
  CHECK(RoutingKey("ChiBio/v1alpha1/Reactor1", "Bioreactor") ==
        "ChiBio.v1alpha1.Reactor1.Bioreactor");
}

TEST_CASE("a spec is an object, and an array exactly with a plate", "[trigger]") {
  for (const auto* spec : {"[]", "null", "1", "\"x\"", "[{}]"})
    CHECK(PointersOf(With(R"("metadata":{})", spec)) == Pointers{"/spec"});
  const auto plate = [](const char* spec) {
    return PointersOf(With(R"("plate":{"rows":1,"columns":3})", spec));
  };
  CHECK(plate("[{},null,{\"a\":1}]") == Pointers{"accepted"});
  CHECK(plate("{}") == Pointers{"/spec"});
  CHECK(plate("[{},{}]") == Pointers{"/spec"});
  CHECK(plate("[{},{},{},{}]") == Pointers{"/spec"});
  CHECK(plate("[1,{},[]]") == Pointers{"/spec/0", "/spec/2"});
  std::string wells = "[null";
  for (int i = 1; i < 128 * 128; ++i) wells += ",{}";
  CHECK(Trigger::Parse(With(R"("plate":{"columns":128,"rows":128})", wells + "]")));
  CHECK(PointersOf(With(R"("plate":{"columns":128,"rows":128})", wells + ",{}]")) ==
        Pointers{"/spec"});
}

TEST_CASE("a plate has rows and columns from 1 to 128, written as integers", "[trigger]") {
  for (const auto* side : {"0", "-1", "129", "1000", "1.0", "1e0", "1E1", "\"1\"", "null", "[]",
                           "-0", "99999999999", "18446744073709551617"}) {
    CAPTURE(side);
    CHECK(PointersOf(With("\"plate\":{\"columns\":1,\"rows\":"s + side + "}", "[{}]")) ==
          Pointers{"/plate/rows"});
  }
  for (const auto* plate : {"[]", "null", "8", "true"})
    CHECK(PointersOf(With("\"plate\":"s + plate, "[]")) == Pointers{"/plate"});
  CHECK(PointersOf(With(R"("plate":{})", "[]")) == Pointers{"/plate/columns", "/plate/rows"});
}

TEST_CASE("metadata tells where a trigger came from", "[trigger]") {
  const auto pointers = [](const char* metadata) {
    return PointersOf(With("\"metadata\":"s + metadata));
  };
  CHECK(pointers("{}") == Pointers{"accepted"});
  CHECK(pointers(R"({"source":"riffyn","spec":{"run":1},"more":[1]})") == Pointers{"accepted"});
  CHECK(pointers("null") == Pointers{"/metadata"});
  CHECK(pointers(R"({"source":null,"spec":[]})") == Pointers{"/metadata/source", "/metadata/spec"});
  const auto plate = [](const char* spec) {
    return PointersOf(
        With(R"("plate":{"rows":2,"columns":1},"metadata":{"spec":)"s + spec + "}", "[{},{}]"));
  };
  CHECK(plate("[{},null]") == Pointers{"accepted"});
  CHECK(plate("[{}]") == Pointers{"/metadata/spec"});
  CHECK(plate("[{},2]") == Pointers{"/metadata/spec/1"});
  CHECK(plate("{}") == Pointers{"/metadata/spec"});
}

TEST_CASE("nesting is bounded alike in a trigger alone and in a batch", "[trigger]") {
  const auto nested = [](std::size_t arrays) {  // around them, the trigger and its spec
    return R"({"apiVersion":"A","protocol":"P","spec":{"a":)" + std::string(arrays, '[') +
           std::string(arrays, ']') + "}}";
  };
  CHECK(Trigger::Parse(nested(62)));
  CHECK_FALSE(Trigger::Parse(nested(63)));
  CHECK(ParseTriggers("[" + nested(62) + "]"));
  CHECK_FALSE(ParseTriggers("[" + nested(63) + "]"));
  CHECK_FALSE(Trigger::Parse(nested(1000000)));
}

TEST_CASE("a batch is an array, all or nothing", "[trigger]") {
  const std::string one(kPlain);
  const auto triggers = ParseTriggers(" [" + one + " , " + With(R"("metadata":{})") + "]\n");
  REQUIRE(triggers);
  REQUIRE(triggers->size() == 2);
  CHECK((*triggers)[0].json() == kPlain);
  CHECK((*triggers)[1].json() == With(R"("metadata":{})"));
  REQUIRE(ParseTriggers(one));
  CHECK(ParseTriggers(one)->front().json() == kPlain);
  CHECK(PointersOf("[" + one + R"(,{"apiVersion":"A","spec":1},7,{"x":1,"x":2}])") ==
        Pointers{"/3/x"});  // duplicates make it bad JSON, before the rules are looked at
  CHECK(PointersOf("[" + one + R"(,{"apiVersion":"A","spec":1,"x/y":0},7,[]])") ==
        Pointers{"/1/protocol", "/1/spec", "/1/x~1y", "/2", "/3"});
  CHECK(PointersOf("[]") == Pointers{""});
}

TEST_CASE("a batch has a limit", "[trigger]") {
  std::string array;
  std::string lines;
  for (std::size_t i = 0; i < kMaxBatch; ++i) {
    array += (i == 0 ? "[" : ",") + std::string(kPlain);
    lines += std::string(kPlain) + "\n";
  }
  CHECK(ParseTriggers(array + "]").value().size() == kMaxBatch);
  CHECK(ParseTriggerLines(lines).value().size() == kMaxBatch);
  CHECK(ParseTriggers(array + ",1]").error().front().detail ==
        "more than 10000 triggers in one batch");
  CHECK(ParseTriggerLines(lines + "1").error().front().detail ==
        "more than 10000 triggers in one batch");
}

TEST_CASE("NDJSON is one trigger a line", "[trigger]") {
  const std::string one(kPlain);
  for (const auto& text : {one + "\n" + one, one + "\r\n" + one + "\r\n",
                           "\n \t\r\n" + one + "\n\n " + one + " \n\n"}) {
    const auto triggers = ParseTriggerLines(text);
    REQUIRE(triggers);
    REQUIRE(triggers->size() == 2);
    CHECK((*triggers)[1].json() == kPlain);
  }
  for (const auto* text : {"", "\n\n", " \r\n"}) CHECK_FALSE(ParseTriggerLines(text));
  CHECK_FALSE(ParseTriggerLines("\xEF\xBB\xBF" + one));
  CHECK_FALSE(ParseTriggerLines("[" + one + "]"));
}

TEST_CASE("faults of NDJSON tell object and byte", "[trigger]") {
  const std::string one = std::string(kPlain) + "\n";
  const std::string text = one + "\n{\"a\n" + one + "{} \n";
  const auto triggers = ParseTriggerLines(text);
  REQUIRE_FALSE(triggers);
  Pointers pointers;
  for (const Fault& fault : triggers.error()) pointers.push_back(fault.pointer);
  CHECK(pointers == Pointers{"/1", "/3/apiVersion", "/3/protocol", "/3/spec"});
  CHECK(triggers.error()[0].offset == one.size() + 1 + 3);
  CHECK(triggers.error()[1].offset == text.size() - 4);
}

TEST_CASE("an option can be a trigger", "[trigger]") {
  const auto trigger = OptionCodec<Trigger>::Parse(kPlain);
  REQUIRE(trigger);
  CHECK(OptionCodec<Trigger>::Format(*trigger) == kPlain);
  const auto refused = OptionCodec<Trigger>::Parse(R"({"protocol":"P","spec":{}})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kInvalid);
  CHECK(refused.error().message == "/apiVersion: missing; every trigger has this string");
}

// What is accepted has to come out of the other end as it went in.
void CheckRoundTrip(std::string_view text) {
  const auto trigger = Trigger::Parse(text);
  if (!trigger) {
    REQUIRE_FALSE(trigger.error().empty());
    for (const Fault& fault : trigger.error()) REQUIRE(fault.offset <= text.size());
    return;
  }
  REQUIRE(text.find(trigger->json()) != std::string_view::npos);
  const Uuid uuid = trigger->uuid().value_or(*Uuid::Parse(kUuid));
  const auto again = Trigger::Parse(trigger->BodyWith(uuid));
  REQUIRE(again);
  REQUIRE(again->uuid() == uuid);
  REQUIRE(again->api_version() == trigger->api_version());
  REQUIRE(again->protocol() == trigger->protocol());
  REQUIRE(again->BodyWith(uuid) == again->json());
  REQUIRE(again->json().ends_with(trigger->json().substr(1)));
}

TEST_CASE("whatever happens to a trigger's bytes, it is refused or comes through", "[trigger]") {
  const std::vector<std::string> seeds = {
      std::string(kPlain),
      With(R"("uuid":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f")"),
      With(R"("plate":{"rows":1,"columns":2},"metadata":{"source":"x","spec":[{},null]})",
           R"([{"a":[1.5e-3,true]},null])"),
      "[" + std::string(kPlain) + ",\n" + std::string(kPlain) + "]",
      WithNames("A/v1/d\\", "\xC3\xA9"),
      With(R"("metadata":{"é\u00e9\ud83d\ude00":"\ud83d\ude00"})")};
  constexpr auto kPieces = "{}[]\":,\\u0dD8c1.eE+-ntf \n\t\xC3\xA9\xEF\xBB\xBF\0"sv;
  std::mt19937 random(20240229);
  for (int round = 0; round < 30000; ++round) {
    std::string text = seeds[random() % seeds.size()];
    for (auto changes = 1 + random() % 3; changes > 0 && !text.empty(); --changes) {
      const std::size_t at = random() % text.size();
      const char piece =
          random() % 4 == 0 ? static_cast<char>(random()) : kPieces[random() % kPieces.size()];
      const std::size_t count = 1 + random() % 8;
      switch (random() % 5) {
        case 0:
          text[at] = piece;
          break;
        case 1:
          text.insert(at, 1, piece);
          break;
        case 2:
          text.erase(at, count);
          break;
        case 3:
          text.insert(random() % text.size(), text.substr(at, count));
          break;
        default:
          text.resize(at);
          break;
      }
    }
    CAPTURE(text);
    CheckRoundTrip(text);
    if (const auto batch = ParseTriggers(text))
      for (const Trigger& trigger : *batch) CheckRoundTrip(trigger.json());
    if (const auto lines = ParseTriggerLines(text))
      for (const Trigger& trigger : *lines) CheckRoundTrip(trigger.json());
  }
}

}  // namespace
}  // namespace tower
