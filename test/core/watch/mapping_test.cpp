// What a mapping makes of events, and what its errors say. What a script can't do: sandbox_test.
#include "core/watch/mapping.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/mapping.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using Strings = std::vector<std::string>;

TEST_CASE("without a map an event must be a trigger, or an array of them", "[mapping]") {
  TestMapping mapping;
  CHECK_FALSE(mapping->given());
  REQUIRE(mapping->Load());
  CHECK(mapping.Protocols(Line("A")) == Strings{"A"});
  CHECK(mapping.Protocols("[" + Line("A") + "," + Line("B") + "]") == Strings{"A", "B"});
  const auto body = R"({ "apiVersion":"T/v1", "protocol":"A", "spec":{"x": 1.50} })";
  CHECK(mapping->Apply(body, "line 1")->front().json() == body);
  CHECK_THAT(
      mapping.Fault(R"({"apiVersion":"T/v1","spec":{}})", "delivery 7f3a"),
      StartsWith("the event is no trigger: /protocol: missing") && EndsWith("(delivery 7f3a)"));
}

TEST_CASE("an expression makes a trigger, several, or none of an event", "[mapping]") {
  TestMapping mapping(
      "event.kind == 'ready' and {apiVersion = 'T/v1', protocol = event.name, spec = {}} or nil");
  CHECK(mapping->given());
  CHECK(mapping.Protocols(R"({"kind":"ready","name":"A"})") == Strings{"A"});
  CHECK(mapping.Protocols(R"({"kind":"other"})").empty());
  TestMapping several("{event, event}");
  CHECK(several.Protocols(Line("A")) == Strings{"A", "A"});
  for (const auto* nothing : {"nil", "null", "{}", "array()", "event.missing", "event.none"}) {
    INFO(nothing);
    CHECK(TestMapping(nothing).Protocols(R"({"none":null})").empty());
  }
}

TEST_CASE("a script maps by return, and may have functions and lines of its own", "[mapping]") {
  TestMapping mapping(FileOf(R"(#!/usr/bin/lua
    local function step(name, volume)
      return {apiVersion = "OT-2/v1", protocol = name, spec = {volume = volume}}
    end
    if event.action ~= "closed" then return end
    local out = {}
    for _, sample in ipairs(event.samples) do
      table.insert(out, step("Dilute", sample.volume * 2))
    end
    return out)"));
  const auto triggers =
      mapping->Apply(R"({"action":"closed","samples":[{"volume":2},{"volume":0.5}]})", "1");
  REQUIRE(triggers);
  REQUIRE(triggers->size() == 2);
  CHECK((*triggers)[0].json() ==
        R"({"apiVersion":"OT-2/v1","protocol":"Dilute","spec":{"volume":4}})");
  CHECK((*triggers)[1].json() ==
        R"({"apiVersion":"OT-2/v1","protocol":"Dilute","spec":{"volume":1.0}})");
  CHECK(mapping.Protocols(R"({"action":"opened"})").empty());
  CHECK(mapping.Protocols(R"({"action":"closed","samples":[]})").empty());
}

TEST_CASE("values come out of a script as they went in", "[mapping]") {
  for (const auto* value : {"null",
                            "true",
                            "false",
                            "\"\"",
                            "[]",
                            "{}",
                            "[[],{}]",
                            "{\"a\":[],\"b\":{}}",
                            "[null]",
                            "[1,null,null]",
                            "{\"a\":null}",
                            "0",
                            "-1",
                            "9223372036854775807",
                            "-9223372036854775808",
                            "9223372036854775808",
                            "12345678901234567890",
                            "1e999",
                            "-123456789012345678901234567890",
                            "1.0",
                            "-0.0",
                            "0.1",
                            "100000.0",
                            "2.5",
                            "1e+100",
                            "1.5e-07",
                            "5e-324",
                            "1.7976931348623157e+308",
                            "\"\\\"\\\\\\n\\u0000\\u0001/é😀\"",
                            "{\"1\":\"a\",\"2\":\"b\"}",
                            "{\"\":{\"x y\":[{}]}}"}) {
    INFO(value);
    CHECK(TestMapping::Through(value) == value);
  }
  CHECK(TestMapping::Through("1E2") == "100.0");
  CHECK(TestMapping::Through("-0") == "-0.0");
  CHECK(TestMapping::Through("0.10") == "0.1");
  CHECK(TestMapping::Through("\"\\u00e9\\/\"") == "\"é/\"");
  CHECK(TestMapping::Through("{\"b\":1,\"a\":2}") == "{\"a\":2,\"b\":1}");
}

// A random JSON text, members sorted by name, numbers and strings as a script writes them.
std::string RandomJson(Chance& chance, int depth) {
  static const Strings kLeaves = {
      "null",     "true",       "false", "0",  "-17", "9007199254740993", "0.5",
      "1.0",      "\"text\"",   "\"\"",  "[]", "{}",  "1e+300",           "18446744073709551616",
      "\"ü\\n\"", "\"\\u0000\""};
  if (depth == 0 || chance.Percent(25))
    return kLeaves[static_cast<std::size_t>(chance.Pick(0, static_cast<int>(kLeaves.size()) - 1))];
  const bool array = chance.Percent(50);
  std::string out(1, array ? '[' : '{');
  for (int i = 0, n = chance.Pick(0, 5); i < n; ++i) {
    if (i != 0) out += ',';
    if (!array) out += "\"" + std::string(1, static_cast<char>('a' + i)) + "\":";
    out += RandomJson(chance, depth - 1);
  }
  return out + (array ? ']' : '}');
}

TEST_CASE("any JSON survives the round trip through a script", "[mapping]") {
  TestMapping mapping("{apiVersion = 'T/v1', protocol = 'A', spec = {value = event}}");
  for (const auto seed : Seeds(2000)) {
    Chance chance(seed);
    const auto json = RandomJson(chance, 5);
    CAPTURE(seed, json);
    const auto triggers = mapping->Apply(json, "1");
    REQUIRE(triggers);
    REQUIRE(TestMapping::ValueOf(triggers->front()) == json);
  }
}

TEST_CASE("a script can make arrays, objects and nulls of every kind", "[mapping]") {
  CHECK(TestMapping::Made("{}") == "{}");
  CHECK(TestMapping::Made("array()") == "[]");
  CHECK(TestMapping::Made("object()") == "{}");
  CHECK(TestMapping::Made("{1, 'a', null, {}}") == R"([1,"a",null,{}])");
  CHECK(TestMapping::Made("array({[2] = {v = 1}}, 4)") == R"([null,{"v":1},null,null])");
  CHECK(TestMapping::Made("object({'a', x = 1, [7] = 2})") == R"({"1":"a","7":2,"x":1})");
  CHECK(TestMapping::Made("json.decode('[1, {\"a\": 1.0}]')") == R"([1,{"a":1.0}])");
  CHECK(TestMapping::Made("json.encode({a = {null}})") == R"("{\"a\":[null]}")");
  CHECK(TestMapping::Made("{getmetatable(array()), getmetatable(object()), tostring(null)}") ==
        R"(["array","object","null"])");
  CHECK(TestMapping::Made("{7 // 2, 7 / 2, 6 / 2, 1 << 62, math.maxinteger}") ==
        "[3,3.5,3.0,4611686018427387904,9223372036854775807]");
}

TEST_CASE("a script can compare null and numbers that Lua has no room for", "[mapping]") {
  const auto check = [](const std::string& expression) {
    TestMapping mapping("{apiVersion = 'T/v1', protocol = tostring(" + expression +
                        "), spec = {}}");
    return mapping.Protocols(R"({"n":null,"a":18446744073709551616,"b":18446744073709551616,
                                 "c":18446744073709551617,"list":[]})");
  };
  CHECK(check("event.n == null") == Strings{"true"});
  CHECK(check("event.missing == null") == Strings{"false"});
  CHECK(check("event.a == event.b") == Strings{"true"});
  CHECK(check("event.a == event.c") == Strings{"false"});
  CHECK(check("tostring(event.a)") == Strings{"18446744073709551616"});
}

TEST_CASE("pairs visits names in order, whatever order Lua keeps them in", "[mapping]") {
  TestMapping mapping(FileOf(R"(
    local names, t = {}, {[3] = 1, [1.5] = 1, b = 1, a = 1, [true] = 1, [1] = 1}
    for name in pairs(t) do names[#names + 1] = tostring(name) end
    for name, value in pairs(event) do
      names[#names + 1] = name .. value
      event[name] = nil
      event.c = nil
    end
    return {apiVersion = "T/v1", protocol = table.concat(names, ","), spec = {}})"));
  CHECK(mapping.Protocols(R"({"d":4,"c":3,"b":2,"a":1})") == Strings{"1,1.5,3,a,b,true,a1,b2,d4"});
  TestMapping own(FileOf(R"(
    local t = setmetatable({}, {__pairs = function() return next, {x = 1}, nil end})
    for name in pairs(t) do return {apiVersion = "T/v1", protocol = name, spec = {}} end)"));
  CHECK(own.Protocols("{}") == Strings{"x"});
}

TEST_CASE("what is no JSON is refused with the path to it", "[mapping]") {
  const auto fault = [](const std::string& value) {
    return TestMapping("{apiVersion = 'T/v1', protocol = 'A', spec = {a = {1, " + value + "}}}")
        .Fault("{}", "line 3");
  };
  const std::string where = "map: what it returned can't be JSON: /spec/a/1: ";
  CHECK(fault("print") == where + "a function, which JSON has not (line 3)");
  CHECK_THAT(fault("0/0"), StartsWith(where + "a number that is infinite or none"));
  CHECK_THAT(fault("math.huge"), StartsWith(where + "a number that is infinite"));
  CHECK_THAT(fault("'\\xff'"), StartsWith(where + "a string that is not UTF-8"));
  CHECK_THAT(fault("{['\\xff'] = 1}"), ContainsSubstring("whose name is not UTF-8"));
  CHECK_THAT(fault("{1, x = 2}"), StartsWith(where + "a table that has both names and indices"));
  CHECK_THAT(fault("{[1] = 1, [3] = 3}"),
             StartsWith(where + "an array whose items are not 1 to n"));
  CHECK_THAT(fault("array({1, x = 2})"), StartsWith(where + "an array that has named members"));
  CHECK_THAT(fault("{[true] = 1}"), StartsWith(where + "a table with a key that is neither"));
  CHECK_THAT(fault("_G"), ContainsSubstring("nested deeper than 64, or a cycle"));
  CHECK_THAT(fault("array({}, -1)"), ContainsSubstring("bad argument #2 to 'array'"));
  CHECK_THAT(fault("array(_G)"), ContainsSubstring("a metatable of its own"));
  CHECK_THAT(fault("json.encode({f = print})"), StartsWith("map:1: /f: a function"));
  CHECK_THAT(fault("json.decode('{')"), StartsWith("map:1: not valid JSON"));
}

TEST_CASE("a result that is no trigger is refused with every fault in it", "[mapping]") {
  CHECK_THAT(TestMapping("{apiVersion = 1, spec = {}, volume = 3}").Fault("{}", "delivery 7f3a"),
             StartsWith("map: what it returned is no trigger: ") &&
                 ContainsSubstring("/volume: unknown member") &&
                 ContainsSubstring("/apiVersion: expected a string") &&
                 ContainsSubstring("/protocol: missing") && EndsWith(" (delivery 7f3a)"));
  CHECK_THAT(TestMapping("{event, {}}").Fault(Line("A"), "1"), ContainsSubstring("/1/protocol"));
  CHECK_THAT(TestMapping("'text'").Fault("{}", "1"), StartsWith("map: it returned a string"));
  CHECK_THAT(TestMapping("false").Fault("{}", "1"), StartsWith("map: it returned a boolean"));
  CHECK_THAT(TestMapping("event, event").Fault(Line("A"), "1"),
             StartsWith("map: it returned 2 values; put triggers into one table"));
}

TEST_CASE("an error of a script names file, line and the event", "[mapping]") {
  const auto fault = [](const std::string& script) {
    return TestMapping(FileOf("\n" + script)).Fault("{\"n\":null}", "delivery 7f3a");
  };
  CHECK(fault("return event.order.id") ==
        "map.lua:2: attempt to index a nil value (field 'order') (delivery 7f3a)");
  CHECK(fault("return event.n.id") ==
        "map.lua:2: attempt to index a null value (field 'n') (delivery 7f3a)");
  CHECK(fault("local t = {}\ntable.insert(t, 1, 2, 3)") ==
        "map.lua:3: wrong number of arguments to 'insert' (delivery 7f3a)");
  CHECK(fault("string.rep()") ==
        "map.lua:2: bad argument #1 to 'rep' (string expected, got no value) (delivery 7f3a)");
  CHECK(fault("error('no plate')") == "map.lua:2: no plate (delivery 7f3a)");
  CHECK(fault("error('no plate', 0)") == "map.lua:2: no plate (delivery 7f3a)");
  CHECK(fault("local n = 0\nfor _, x in ipairs(event.list) do n = n + 1 end") ==
        "map.lua:3: attempt to index a nil value (delivery 7f3a)");
  CHECK_THAT(fault("\n\ntable.sort({1, 'a'})"),
             StartsWith("map.lua:4: attempt to compare string with number"));
  CHECK(fault("error({code = 1})") ==
        "map.lua:2: the script raised a table as its error (delivery 7f3a)");
  CHECK(fault("error()") == "map.lua:2: the script raised a nil as its error (delivery 7f3a)");
  CHECK(fault("error(string.rep('x', 5000))").size() < 1100);
  CHECK_THAT(TestMapping("event").Fault("{", "line 9"),
             StartsWith("the event is not JSON: not valid JSON") && EndsWith("(line 9)"));
  TestMapping recovers("event.x.y");
  CHECK_FALSE(recovers.Fault("{}", "1").empty());
  CHECK(recovers.Protocols(R"({"x":{"y":)" + Line("A") + "}}") == Strings{"A"});
}

TEST_CASE("a script that can't be loaded is refused with file and line", "[mapping]") {
  const auto fault = [](const TestMapping::Source& source) {
    TestMapping mapping(source, false);
    const auto loaded = mapping->Load();
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == ErrorCode::kInvalid);
    return loaded.error().message;
  };
  CHECK_THAT(fault(FileOf("local x = 1\nreturn x +")), StartsWith("map.lua:2: unexpected symbol"));
  CHECK_THAT(fault({"event +"}), StartsWith("map:1: unexpected symbol"));
  CHECK_THAT(fault(FileOf(std::string((1U << 20U) + 1, ' '))), EndsWith("larger than 1 MiB"));
  CHECK_THAT(fault({{}, "/nowhere/map.lua"}),
             StartsWith("map-file /nowhere/map.lua: no such file"));
  CHECK_THAT(fault({{}, "/dev/null"}), EndsWith("not a regular file"));
}

TEST_CASE("a file of any name has it in its errors, or the end of it", "[mapping]") {
  const TempDir folder;
  const std::string name(100, 'n');
  TestMapping mapping({{}, folder.Write(name + ".lua", "return event.x.y"), {}});
  CHECK(mapping.Fault("{}", "1") ==
        "..." + std::string(43, 'n') + ".lua:1: attempt to index a nil value (field 'x') (1)");
}

TEST_CASE("a file is read again at each load", "[mapping]") {
  const auto source = FileOf("return {apiVersion = 'T/v1', protocol = 'Old', spec = {}}");
  TestMapping mapping(source);
  CHECK(mapping.Protocols("{}") == Strings{"Old"});
  const auto before = mapping.Fingerprint();
  source.folder->Write("map.lua", "return {apiVersion = 'T/v1', protocol = 'New', spec = {}}");
  CHECK(mapping.Fingerprint() != before);  // so a reload restarts the watcher
  CHECK(mapping.Protocols("{}") == Strings{"Old"});
  REQUIRE(mapping->Load());
  CHECK(mapping.Protocols("{}") == Strings{"New"});
}

TEST_CASE("map and map-file exclude each other", "[mapping]") {
  CHECK(TestMapping("event", false).RuleFault().empty());
  CHECK(TestMapping({"event", "map.lua"}, false).RuleFault() == "set map or map-file, not both");
}

TEST_CASE("what a script prints goes where it is asked to go", "[mapping]") {
  TestMapping mapping("print('a', 1, null, {} ~= nil)", false);
  std::string printed;
  mapping->OnPrint([&printed](std::string_view line) { printed.append(line) += '\n'; });
  REQUIRE(mapping->Load());
  CHECK(mapping.Protocols("{}").empty());
  CHECK(printed == "a\t1\tnull\ttrue\n");
  CHECK(TestMapping("print(1)").Protocols("{}").empty());
}

TEST_CASE("a script that was edited makes another configuration", "[mapping]") {
  const TempDir folder;
  const auto path = folder.Write("map.lua", "return event");
  const auto fingerprint = [&path] {
    Mapping mapping;
    OptionSet options("plugin.inbox");
    mapping.Declare(options);
    for (auto& option : options.all()) {
      if (option.name() == "plugin.inbox.map-file") REQUIRE(option.Set({path}));
    }
    return options.Fingerprint();
  };
  const auto before = fingerprint();
  CHECK(fingerprint() == before);
  folder.Write("map.lua", "return nil");
  CHECK(fingerprint() != before);
}

}  // namespace
}  // namespace tower
