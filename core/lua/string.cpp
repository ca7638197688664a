// The functions with patterns that scripts can call: string.find, match, gmatch and gsub.
#include <string.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/lua/budget.h"
#include "core/lua/lua.h"
#include "core/lua/pattern.h"

namespace tower {
namespace {

using Found = LuaMatcher::Found;

constexpr std::size_t kBytesForAStep = 64;  // copied or compared at once

std::string_view TextArgument(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* const text = luaL_checklstring(lua, index, &size);
  return {text, size};
}

// Converts argument `index`, a position from 1, or from the end if it is negative, to an offset
// from 0. Larger positions become the offset after the end.
std::size_t StartArgument(lua_State* lua, int index, std::size_t size) {
  const auto start = luaL_optinteger(lua, index, 1);
  const auto length = static_cast<lua_Integer>(size);
  if (start > 0) return static_cast<std::size_t>(std::min(start - 1, length + 1));
  if (start == 0 || start < -length) return 0;
  return static_cast<std::size_t>(length + start);
}

std::size_t FindPlain(lua_State* lua, std::string_view text, std::string_view part,
                      std::size_t from) {
  ScriptBudget::Of(lua).Charge(lua, (text.size() - from) / kBytesForAStep);
  const void* const found =
      memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

// Implements find, which returns positions, and match, which does not.
int Search(lua_State* lua, bool places) {
  const auto text = TextArgument(lua, 1);
  const auto part = TextArgument(lua, 2);
  const auto from = StartArgument(lua, 3, text.size());
  const auto push_places = [lua](const Found& found) {
    lua_pushinteger(lua, static_cast<lua_Integer>(found.begin) + 1);
    lua_pushinteger(lua, static_cast<lua_Integer>(found.end));
    return 2;
  };
  if (from > text.size()) {
    luaL_pushfail(lua);
    return 1;
  }
  constexpr std::string_view kSpecial = "^$*+?.([%-)";
  if (places && (lua_toboolean(lua, 4) != 0 || part.find_first_of(kSpecial) == part.npos)) {
    const auto at = FindPlain(lua, text, part, from);
    if (at != std::string_view::npos) return push_places({at, at + part.size()});
    luaL_pushfail(lua);
    return 1;
  }
  const LuaPattern pattern(lua, part, true);
  LuaMatcher matcher(lua, pattern, text);
  const auto found = matcher.Find(from);
  if (!found) {
    luaL_pushfail(lua);
    return 1;
  }
  if (!places) return matcher.PushCaptures(*found);
  push_places(*found);
  return 2 + (pattern.captures() == 0 ? 0 : matcher.PushCaptures(*found));
}

int Find(lua_State* lua) { return Search(lua, true); }
int Match(lua_State* lua) { return Search(lua, false); }

// Upvalues: the text, the pattern, the next offset, the end of the last match or -1. An empty match
// must not begin at the end of the last match.
int NextMatch(lua_State* lua) {
  const auto text = TextArgument(lua, lua_upvalueindex(1));
  const LuaPattern pattern(lua, TextArgument(lua, lua_upvalueindex(2)), false);
  const auto last = lua_tointeger(lua, lua_upvalueindex(4));
  LuaMatcher matcher(lua, pattern, text);
  auto from = static_cast<std::size_t>(lua_tointeger(lua, lua_upvalueindex(3)));
  while (const auto found = matcher.Find(from)) {
    if (static_cast<lua_Integer>(found->end) != last) {
      lua_pushinteger(lua, static_cast<lua_Integer>(found->end));
      lua_copy(lua, -1, lua_upvalueindex(3));
      lua_replace(lua, lua_upvalueindex(4));
      return matcher.PushCaptures(*found);
    }
    from = found->begin + 1;
  }
  return 0;
}

int AllMatches(lua_State* lua) {
  const auto text = TextArgument(lua, 1);
  const LuaPattern checked(lua, TextArgument(lua, 2), false);
  const auto from = StartArgument(lua, 3, text.size());
  lua_settop(lua, 2);
  lua_pushinteger(lua, static_cast<lua_Integer>(from));
  lua_pushinteger(lua, -1);
  lua_pushcclosure(lua, NextMatch, 4);
  return 1;
}

// One call of gsub. Argument 3 is the replacement.
class Substitution {
 public:
  Substitution(lua_State* lua, const LuaPattern& pattern, std::string_view text)
      : lua_(lua), matcher_(lua, pattern, text), anchored_(pattern.anchored()), text_(text) {}

  // Returns the number of replacements; the new text is in `out`.
  lua_Integer Run(lua_Integer most) {
    lua_Integer count = 0;
    std::size_t at = 0;
    std::size_t last = std::string_view::npos;  // end of the last match
    while (count < most) {
      const auto end = matcher_.Match(at);
      if (end && *end != last) {
        Replace({at, *end});
        at = last = *end;
        ++count;
      } else if (at < text_.size()) {
        Append(text_.substr(at++, 1));
      } else {
        break;
      }
      if (anchored_) break;
    }
    if (at < text_.size()) Append(text_.substr(at));
    return count;
  }

  std::string out;

 private:
  void Append(std::string_view part) {
    if (part.size() > kMaxScriptBytes - out.size()) luaL_error(lua_, "resulting string too large");
    ScriptBudget::Of(lua_).Charge(lua_, 1 + part.size() / kBytesForAStep);
    out.append(part);
  }

  void AppendTop() {
    std::size_t size = 0;
    const char* const text = lua_tolstring(lua_, -1, &size);
    Append({text, size});
    lua_pop(lua_, 1);
  }

  void Replace(const Found& found) {
    switch (lua_type(lua_, 3)) {
      case LUA_TFUNCTION:
        lua_pushvalue(lua_, 3);
        lua_call(lua_, matcher_.PushCaptures(found), 1);
        break;
      case LUA_TTABLE:
        matcher_.PushCapture(0, found);
        lua_gettable(lua_, 3);
        break;
      default:
        return AppendTemplate(found);
    }
    if (lua_toboolean(lua_, -1) == 0) {
      lua_pop(lua_, 1);
      Append(text_.substr(found.begin, found.end - found.begin));
    } else if (lua_isstring(lua_, -1) != 0) {
      AppendTop();
    } else {
      luaL_error(lua_, "invalid replacement value (a %s)", luaL_typename(lua_, -1));
    }
  }

  void AppendTemplate(const Found& found) {
    auto rest = TextArgument(lua_, 3);
    while (!rest.empty()) {
      const auto percent = std::min(rest.find('%'), rest.size());
      if (percent != 0) Append(rest.substr(0, percent));
      rest.remove_prefix(percent);
      if (rest.empty()) return;
      const char what = rest.size() > 1 ? rest[1] : '\0';
      if (what == '%') {
        Append("%");
      } else if (what == '0') {
        Append(text_.substr(found.begin, found.end - found.begin));
      } else if (what >= '1' && what <= '9') {
        matcher_.PushCapture(static_cast<std::size_t>(what - '1'), found);
        AppendTop();
      } else {
        luaL_error(lua_, "invalid use of '%%' in replacement string");
      }
      rest.remove_prefix(2);
    }
  }

  lua_State* const lua_;
  LuaMatcher matcher_;
  const bool anchored_;
  const std::string_view text_;
};

int Substitute(lua_State* lua) {
  const auto text = TextArgument(lua, 1);
  const auto part = TextArgument(lua, 2);
  const int type = lua_type(lua, 3);
  luaL_argexpected(
      lua,
      type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
      "string/function/table");
  const auto most = luaL_optinteger(lua, 4, static_cast<lua_Integer>(text.size()) + 1);
  const LuaPattern pattern(lua, part, true);
  Substitution substitution(lua, pattern, text);
  const auto count = substitution.Run(most);
  lua_pushlstring(lua, substitution.out.data(), substitution.out.size());
  lua_pushinteger(lua, count);
  return 2;
}

}  // namespace

void AddPatternFunctions(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {
      {"find", Find}, {"match", Match}, {"gmatch", AllMatches}, {"gsub", Substitute}};
  for (const auto& [name, function] : kFunctions) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
}

}  // namespace tower
