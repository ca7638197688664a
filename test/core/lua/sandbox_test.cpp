// What a script can't do, whatever it tries.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <ctime>

#include "core/lua/script.h"
#include "test/support/mapping.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using Strings = std::vector<std::string>;

// What a script in a file fails with.
std::string FaultOf(const std::string& script, const std::string& event = "{}") {
  return TestMapping(FileOf(script)).Fault(event, "7f3a");
}

// Of two events in a row, what the second one gives.
std::string Second(const std::string& script) {
  TestMapping mapping(FileOf(script));
  mapping.Fault(R"({"n":1})", "1");
  const auto triggers = mapping->Apply(R"({"n":2})", "2");
  return triggers ? std::string(triggers->front().protocol()) : triggers.error().message;
}

const std::string kReturn = "\nreturn {apiVersion = 'T/v1', protocol = tostring(seen), spec = {}}";

TEST_CASE("a script finds nothing that reaches out of it", "[mapping]") {
  for (const auto* name :
       {"io", "os", "require", "package", "debug", "load", "loadstring", "loadfile", "dofile",
        "coroutine", "collectgarbage", "rawset", "xpcall", "warn", "string.dump"}) {
    INFO(name);
    CHECK(TestMapping::Made(std::string("tostring(") + name + ")") == "\"nil\"");
  }
  TestMapping names(FileOf(R"(
    local found = {}
    for _, name in ipairs({"_G", "_VERSION", "array", "assert", "error", "event", "getmetatable",
        "ipairs", "json", "math", "next", "null", "object", "pairs", "pcall", "print", "rawequal",
        "rawget", "rawlen", "select", "setmetatable", "string", "table", "tonumber", "tostring",
        "type", "utf8"}) do
      assert(_G[name] ~= nil, name)
    end)"));
  CHECK(names.Protocols("{}").empty());
}

TEST_CASE("compiled Lua is refused", "[mapping]") {
  TestMapping mapping(FileOf("\x1bLua\x54\x00\x19\x93\r\n\x1a\n"), false);
  const auto loaded = mapping->Load();
  REQUIRE_FALSE(loaded);
  CHECK_THAT(loaded.error().message, StartsWith("map.lua: attempt to load a binary chunk"));
}

TEST_CASE("nothing of one event reaches the next", "[mapping]") {
  CHECK(Second("seen = last\nlast = event.n" + kReturn) == "nil");
  CHECK(Second("local seen = rawget(_G, 'last')\n_G.last = event.n" + kReturn) == "nil");
  CHECK(Second("seen = string.last\npcall(function() string.last = 1 end)" + kReturn) == "nil");
  CHECK(Second("seen = math.pi\nmath = {pi = 'mine'}" + kReturn).substr(0, 4) == "3.14");
  CHECK(Second("seen = json.last\npcall(table.insert, json, 1, 1)\nseen = json[1]" + kReturn) ==
        "nil");
  CHECK(Second("seen = ('a'):upper()\n"
               "pcall(function() getmetatable('').__index.upper = string.lower end)" +
               kReturn) == "A");
  CHECK(Second("seen = getmetatable('')" + kReturn) == "false");
  CHECK(Second("seen = getmetatable(_G)" + kReturn) == "false");
  CHECK(Second("seen = getmetatable(string)" + kReturn) == "false");
  CHECK(Second("seen = array().x\npcall(setmetatable, array(), {__index = {x = 1}})" + kReturn) ==
        "nil");
}

TEST_CASE("what scripts share can't be changed", "[mapping]") {
  CHECK_THAT(FaultOf("string.upper = 1"), StartsWith("map.lua:1: this table can't be changed"));
  CHECK_THAT(FaultOf("json.x = 1"), StartsWith("map.lua:1: this table can't be changed"));
  for (const auto* shared :
       {"string", "table", "math", "utf8", "json", "_G", "array()", "object()"}) {
    CHECK_THAT(FaultOf("setmetatable(" + std::string(shared) + ", {})"),
               ContainsSubstring("cannot change a protected metatable"));
  }
  CHECK_THAT(FaultOf("table.insert(math, 1, 1)"), ContainsSubstring("can't be changed"));
  CHECK_THAT(FaultOf("setmetatable(null, {})"), ContainsSubstring("table expected"));
}

TEST_CASE("a script that does not end is ended, and says where", "[mapping]") {
  CHECK(FaultOf("local i = 0\nwhile true do\ni = i + 1 end") ==
        "map.lua:3: more than 10 million steps (7f3a)");
  const std::string limit = "more than 10 million steps (7f3a)";
  const std::string loop = "function() while true do end end";
  for (const auto& script : std::vector<std::string>{
           "while true do pcall(" + loop + ") end",
           "while true do pcall(pcall, " + loop + ") end",
           "return pcall(" + loop + ")",
           "pcall(" + loop + ")\nreturn nil",
           "local function f() return f() end return f()",
           "for i = 1, math.maxinteger do end",
           "goto again ::again:: goto again",
           "setmetatable({}, {__index = " + loop + "}).x()",
           "local t <close> = setmetatable({}, {__close = " + loop + "})",
           "local t <close> = setmetatable({}, {__close = " + loop + "}) error('x')",
           "tostring(setmetatable({}, {__tostring = " + loop + "}))",
           "print(setmetatable({}, {__tostring = " + loop + "}))",
           "error(setmetatable({}, {__tostring = " + loop + "}))\n",
           "for k in pairs(setmetatable({}, {__pairs = " + loop + "})) do end",
           "table.sort({3, 2, 1}, " + loop + ")",
           "('a'):gsub('a', " + loop + ")",
           "table.concat(setmetatable({}, {__index = " + loop + "}), '', 1, 2)",
       }) {
    INFO(script);
    const auto fault = FaultOf(script);
    if (script.starts_with("error("))
      CHECK_THAT(fault, ContainsSubstring("the script raised a table"));
    else
      CHECK_THAT(fault, EndsWith(limit));
  }
}

TEST_CASE("an error in an error is ended too", "[mapping]") {
  // Each level fails for want of room and the one above it tries again: 2^200 calls.
  CHECK_THAT(FaultOf("local function f() pcall(f) pcall(f) end f()"),
             StartsWith("map.lua:1: more than "));
}

TEST_CASE("a finalizer, which no limit would reach, is refused", "[mapping]") {
  CHECK_THAT(FaultOf("setmetatable({}, {__gc = function() while true do end end})"),
             StartsWith("map.lua:1: __gc is not for scripts"));
  CHECK_THAT(FaultOf("setmetatable({}, {__gc = true})"), ContainsSubstring("__gc"));
  // Set later it is never called: Lua looks for it in setmetatable alone.
  CHECK(FaultOf("do local t = setmetatable({}, {}) getmetatable(t).__gc = function() while true do "
                "end end end local s for i = 1, 1e4 do s = {} end")
            .empty());
}

TEST_CASE("no function of a library is kept busy for ever", "[mapping]") {
  const std::string limit = "more than 10 million steps (7f3a)";
  const std::string liar = "setmetatable({}, {__len = function() return 1 << 60 end})";
  CHECK_THAT(FaultOf("table.move({}, 1, 1 << 53, 2)"), EndsWith(limit));
  CHECK_THAT(FaultOf("table.move({}, math.mininteger, -2, 1)"), EndsWith(limit));
  CHECK_THAT(FaultOf("table.unpack({}, 1, 1e8)"), EndsWith(limit));
  for (const std::string function : {"insert", "remove", "sort", "concat", "unpack"}) {
    CHECK_THAT(FaultOf("table." + function + "(" + liar + ", 1, 1)"),
               StartsWith("map.lua:1: a table with __len is not for this function"));
  }
  CHECK(FaultOf("assert((''):rep(1 << 62) == '' and (''):rep(1 << 62, '') == '')").empty());
  // On a slow machine it is the time that is over first.
  const std::string either = "map.lua:1: more than ";
  const std::string full = "local t = {} for i = 1, 1e5 do t[i] = i end ";
  CHECK_THAT(FaultOf(full + "for i = 1, 1e5 do table.insert(t, 1, i) end"), StartsWith(either));
  CHECK_THAT(FaultOf(full + "for i = 1, 1e5 do for k in pairs(t) do break end end"),
             StartsWith(either));
  CHECK_THAT(FaultOf("local s = ('x'):rep(1 << 20) for i = 1, 1e5 do local t = s .. i end"),
             StartsWith(either));
  CHECK_THAT(
      FaultOf("local s = '[' .. ('1,'):rep(1e5) .. '1]' for i = 1, 1e5 do json.decode(s) end"),
      StartsWith(either));
  CHECK_THAT(FaultOf(full + "for i = 1, 1e5 do json.encode(t) end"), StartsWith(either));
  // A few thousand of these fit between two looks at the steps.
  for (const std::string call : {"s:reverse()", "s:upper()", "utf8.len(s)", "('%s'):format(s)"}) {
    INFO(call);
    const auto began = std::clock();
    CHECK_THAT(FaultOf("local s = ('x'):rep(1 << 24) for i = 1, 1e6 do local t = " + call + " end"),
               StartsWith(either));
    CHECK((std::clock() - began) / CLOCKS_PER_SEC < 5);
  }
}

TEST_CASE("what steps can't count is ended by time", "[mapping]") {
  // Comparing long texts is one instruction each.
  const auto began = std::chrono::steady_clock::now();
  const auto fault = FaultOf(
      "local a, b = ('x'):rep(8 << 20) .. 1, ('x'):rep(8 << 20) .. 2\n"
      "for i = 1, 1e6 do local same = a == b end");
  CHECK(fault == "map.lua:2: more than 2 seconds (7f3a)");
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(1900));
}

TEST_CASE("a script has 64 MiB and no more", "[mapping]") {
  const std::string limit = "map.lua: more than 64 MiB of memory (7f3a)";
  CHECK(FaultOf("return ('x'):rep(1 << 30)") == limit);
  CHECK(FaultOf("return ('x'):rep(65 << 20)") == limit);
  CHECK(FaultOf("local s = 'x' while true do s = s .. s end") == limit);
  CHECK(FaultOf("local t = {} for i = 1, 1e9 do t[i] = i end") == limit);
  CHECK_THAT(FaultOf("local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1 << 16) "
                     "end) end"),
             StartsWith("map.lua:1: more than"));
  CHECK_THAT(FaultOf("return ('x'):rep(1 << 20):gsub('x', ('y'):rep(1 << 20))"),
             ContainsSubstring("map.lua:1: "));
  // An event that is too large for it.
  std::string event = "[";
  for (int i = 0; i < 2'000'000; ++i) event += "[],";
  CHECK(FaultOf("return nil", event + "1]") == limit);
  // Sharing makes a small table a large text.
  const std::string trigger = "return {apiVersion = 'T/v1', protocol = 'A', spec = {t = t}}";
  CHECK_THAT(
      FaultOf("local s, t = ('x'):rep(1 << 20), {} for i = 1, 65 do t[i] = s end\n" + trigger),
      EndsWith("/spec/t/64: more than 64 MiB of JSON (7f3a)"));
  CHECK_THAT(FaultOf("local t = {} for i = 1, 40 do t = {t, t} end\n" + trigger),
             EndsWith("more than 10 million steps (7f3a)"));
}

TEST_CASE("after a limit the next event is mapped as if nothing had been", "[mapping]") {
  TestMapping mapping(FileOf(R"(
    if event.do_loop then while true do end end
    if event.do_fill then local t = {} for i = 1, 1e9 do t[i] = i end end
    if event.do_recurse then local function f(...) return f(0, ...) + 1 end f() end
    local n = 0
    for i = 1, 5e5 do n = n + 1 end
    return {apiVersion = "T/v1", protocol = tostring(n), spec = {}})"));
  for (int i = 0; i < 3; ++i) {
    CHECK_THAT(mapping.Fault(R"({"do_loop":true})", "1"),
               ContainsSubstring("map.lua:2: more than"));
    CHECK_THAT(mapping.Fault(R"({"do_fill":true})", "1"), ContainsSubstring("64 MiB of memory"));
    CHECK_THAT(mapping.Fault(R"({"do_recurse":true})", "1"), ContainsSubstring("stack overflow"));
    CHECK(mapping.Protocols("{}") == Strings{"500000"});
  }
}

TEST_CASE("the memory of a large event is given back", "[mapping]") {
  const auto script = LuaScript::Compile("return event.x == nil and {} or nil", "map", nullptr);
  REQUIRE(script);
  const std::string event = R"({"x":")" + std::string(9U << 20U, 'x') + R"("})";
  for (int i = 0; i < 20; ++i) {
    REQUIRE((*script)->Run(event));
    CHECK((*script)->used_bytes() < 200'000);
  }
}

}  // namespace
}  // namespace tower
