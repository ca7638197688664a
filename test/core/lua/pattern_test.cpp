// Patterns do what those of Lua's own library do, and end when they would take too long.
#include "core/lua/pattern.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "core/lua/budget.h"
#include "core/lua/lua.h"
#include "test/support/mapping.h"
#include "test/support/seeds.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// A state with two tables, `ours` and `theirs`, of the same functions.
class Pair {
 public:
  Pair() {
    budget_.Refill(lua_);
    lua_pushcfunction(lua_, [](lua_State* lua) {
      luaL_requiref(lua, "_G", luaopen_base, 1);
      luaL_requiref(lua, "theirs", luaopen_string, 1);
      lua_newtable(lua);
      AddPatternFunctions(lua);
      lua_setglobal(lua, "ours");
      return 0;
    });
    REQUIRE(lua_pcall(lua_, 0, 0, 0) == LUA_OK);
  }
  ~Pair() { lua_close(lua_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  // What `call` returns, in a form to compare; "error" where it raises one.
  std::string Result(const std::string& library, const std::string& call) {
    budget_.Refill(lua_);
    const std::string script =
        "local lib = " + library +
        " local function text(...) local out = '' for i = 1, select('#', ...) do"
        " out = out .. '|' .. type(select(i, ...)) .. ':' .. tostring((select(i, ...))) end"
        " return out end " +
        call;
    REQUIRE(luaL_loadstring(lua_, script.c_str()) == LUA_OK);
    const bool fine = lua_pcall(lua_, 0, 1, 0) == LUA_OK;
    std::string result = fine ? lua_tostring(lua_, -1) : "error";
    if (!fine) error_ = lua_tostring(lua_, -1);
    lua_settop(lua_, 0);
    return result;
  }
  const std::string& error() const { return error_; }

 private:
  ScriptBudget budget_;
  lua_State* const lua_ = budget_.NewState();
  std::string error_;
};

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text)
    out += "\\" + std::to_string(static_cast<unsigned char>(c) + 1000).substr(1);
  return out + "'";
}

std::string RandomText(Chance& chance, int longest) {
  std::string out;
  const std::string letters = "aab(1) -]\xe9" + std::string(1, '\0');
  for (int i = chance.Pick(0, longest); i > 0; --i)
    out += letters[static_cast<std::size_t>(chance.Pick(0, static_cast<int>(letters.size()) - 1))];
  return out;
}

std::string RandomPattern(Chance& chance) {
  static const std::vector<std::string> kParts = {
      "a",      "b",    "1",           ".",     "%a",   "%d",    "%s", "%w", "%A",   "%-",
      "[ab]",   "[^a]", "[%d-]",       "[a-c]", "[]]",  "[^]1]", "(",  ")",  "()",   "%1",
      "%2",     "*",    "+",           "-",     "?",    "*",     "-",  "$",  "%b()", "%f[%w]",
      "%f[^a]", "\xe9", "[\xe0-\xff]", "-",     "(a*)", "(.-)",  "%%", "[",  "%",    "^"};
  std::string out = chance.Percent(15) ? "^" : "";
  for (int i = chance.Pick(0, 6); i > 0; --i)
    out += kParts[static_cast<std::size_t>(
        chance.Pick(0, static_cast<int>(kParts.size()) - (chance.Percent(90) ? 4 : 1)))];
  return chance.Percent(15) ? out + "$" : out;
}

TEST_CASE("patterns find what those of Lua's library find", "[mapping]") {
  Pair pair;
  int compared = 0;
  for (const auto seed : Seeds(4000)) {
    Chance chance(seed);
    const auto text = Quoted(RandomText(chance, 12));
    const auto plain = RandomPattern(chance);
    const auto pattern = Quoted(plain);
    const auto init = chance.Percent(30) ? "," + std::to_string(chance.Pick(-14, 14)) : "";
    const std::string calls[] = {
        "return text(lib.find(" + text + "," + pattern + init + "))",
        "return text(lib.match(" + text + "," + pattern + init + "))",
        "local out = '' for a, b, c in lib.gmatch(" + text + "," + pattern + init +
            ") do out = out .. text(a, b, c) end return out",
        "return text(lib.gsub(" + text + "," + pattern + ", '<%0%1%%>'))",
        "return text(lib.gsub(" + text + "," + pattern + ", {a = 'X', [1] = 7, [''] = false}, 3))",
        "return text(lib.gsub(" + text + "," + pattern +
            ", function(...) return #text(...) % 3 ~= 0 and text(...) end))"};
    for (const auto& call : calls) {
      CAPTURE(seed, plain, call);
      const auto ours = pair.Result("ours", call);
      // Malformed patterns are refused whole; the library tells only when it comes to the fault.
      if (ours == "error" && pair.error().find("malformed") != std::string::npos) continue;
      REQUIRE(ours == pair.Result("theirs", call));
      ++compared;
    }
  }
  CHECK(compared > 1'000);
}

TEST_CASE("a malformed pattern is an error that says how", "[mapping]") {
  const auto fault = [](const std::string& pattern) {
    return TestMapping("string.find('', '" + pattern + "')").Fault("{}", "1");
  };
  CHECK(fault("a%") == "map:1: malformed pattern (ends with '%') (1)");
  CHECK_THAT(fault("[a"), ContainsSubstring("(missing ']')"));
  CHECK_THAT(fault("(a"), ContainsSubstring("(unfinished capture)"));
  CHECK_THAT(fault("a)"), ContainsSubstring("(invalid pattern capture)"));
  CHECK_THAT(fault("%1"), ContainsSubstring("(invalid capture index)"));
  CHECK_THAT(fault("(a%1)"), ContainsSubstring("(invalid capture index)"));
  CHECK_THAT(fault("%b("), ContainsSubstring("(missing arguments to '%b')"));
  CHECK_THAT(fault("%fa"), ContainsSubstring("(missing '[' after '%f')"));
  std::string many;
  for (int i = 0; i < 33; ++i) many += "()";
  CHECK_THAT(fault(many), ContainsSubstring("(too many captures)"));
  CHECK_THAT(fault(std::string(10'001, 'a') + "?"), ContainsSubstring("(too long)"));
  CHECK_THAT(TestMapping("('a'):gsub('a', '%2')").Fault("{}", "1"),
             ContainsSubstring("map:1: invalid capture index %2"));
  CHECK_THAT(TestMapping("('a'):gsub('a', '%x')").Fault("{}", "1"),
             ContainsSubstring("invalid use of '%'"));
  CHECK_THAT(TestMapping("('a'):gsub('a', function() return {} end)").Fault("{}", "1"),
             ContainsSubstring("invalid replacement value (a table)"));
  CHECK_THAT(TestMapping("('a'):gsub('a', true)").Fault("{}", "1"),
             ContainsSubstring("bad argument #2 to 'gsub' (string/function/table expected"));
}

TEST_CASE("a pattern that would try for hours is ended", "[mapping]") {
  const std::string text(3000, 'a');
  const auto fault = [&](const std::string& expression) {
    return TestMapping(expression).Fault("\"" + text + "\"", "delivery 7f3a");
  };
  const std::string limit = "map:1: more than 10 million steps (delivery 7f3a)";
  CHECK(fault("event:match('.-.-.-.-.-.-b')") == limit);
  CHECK(fault("event:find('a*a*a*a*a*b')") == limit);
  CHECK(fault("event:gsub('.*.*.*b', '')") == limit);
  CHECK(fault("event:gmatch('(.-)(.-)(.-)%1b')()") == limit);
  CHECK(fault("pcall(string.find, event, '.-.-.-.-b')") == limit);
  CHECK(fault("event:rep(10000):find('a?a?a?b')") == limit);
  CHECK(fault("(function() local s = event:rep(1000) for i = 1, 1e5 do s:find('b', 1, true) end "
              "end)()") == limit);
}

}  // namespace
}  // namespace tower
