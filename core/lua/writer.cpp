#include "core/lua/writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/json/text.h"
#include "core/lua/budget.h"
#include "core/lua/json.h"
#include "core/lua/lua.h"

namespace tower {
namespace {

constexpr std::uint64_t kStepsForATable = 4;

// Statistics on the keys of the table on top, from raw iteration.
struct Keys {
  std::size_t numbers = 0, names = 0, others = 0;
  lua_Integer lowest = 0, highest = 0;

  explicit Keys(lua_State* lua) {
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
      if (lua_type(lua, -2) == LUA_TSTRING) {
        ++names;
      } else if (lua_isinteger(lua, -2) != 0) {
        const auto key = lua_tointeger(lua, -2);
        lowest = numbers == 0 ? key : std::min(lowest, key);
        highest = numbers == 0 ? key : std::max(highest, key);
        ++numbers;
      } else {
        ++others;
      }
    }
  }
  bool IsSequence() const {
    return numbers == 0 || (lowest == 1 && static_cast<std::size_t>(highest) == numbers);
  }
};

}  // namespace

bool LuaJsonWriter::Write() {
  if (WriteValue(0)) return true;
  for (auto token = path_.rbegin(); token != path_.rend(); ++token)
    if (!AppendPointer(fault.pointer, *token)) break;
  return false;
}

bool LuaJsonWriter::Fail(std::string detail) {
  fault.detail = std::move(detail);
  return false;
}

bool LuaJsonWriter::WriteValue(std::size_t depth) {
  if (out.size() > kMaxScriptBytes) return Fail("more than 64 MiB of JSON");
  const int type = lua_type(lua_, -1);
  switch (type) {
    case LUA_TBOOLEAN:
      out.append(lua_toboolean(lua_, -1) != 0 ? "true" : "false");
      return true;
    case LUA_TNUMBER:
      return WriteNumber();
    case LUA_TSTRING:
      return WriteString();
    case LUA_TUSERDATA:
      return WriteUserdata();
    case LUA_TTABLE:
      return WriteTable(depth);
    default:
      return Fail(std::string("a ") + lua_typename(lua_, type) + ", which JSON has not");
  }
}

bool LuaJsonWriter::WriteNumber() {
  char text[64];
  if (lua_isinteger(lua_, -1) != 0) {
    const auto end = std::to_chars(text, std::end(text), lua_tointeger(lua_, -1)).ptr;
    out.append(text, end);
    return true;
  }
  const double number = lua_tonumber(lua_, -1);
  if (!std::isfinite(number)) return Fail("a number that is infinite or none (NaN)");
  // The shortest text that reads as the same number; a float stays a float.
  const double size = std::fabs(number);
  const bool plain = size == 0 || (size >= 1e-5 && size < 1e16);
  const auto form = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(text, std::end(text), number, form).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out.append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out.append(".0");
  return true;
}

bool LuaJsonWriter::WriteString() {
  std::size_t size = 0;
  const char* const text = lua_tolstring(lua_, -1, &size);
  if (FindInvalidUtf8({text, size}) != std::string_view::npos)
    return Fail("a string that is not UTF-8");
  AppendJsonString(out, {text, size});
  return true;
}

bool LuaJsonWriter::WriteUserdata() {
  const auto digits = BigNumberAt(lua_, -1);
  if (!digits && !IsNull(lua_, -1)) return Fail("a userdata, which JSON has not");
  out.append(digits.value_or("null"));
  return true;
}

bool LuaJsonWriter::WriteTable(std::size_t depth) {
  if (depth == kMaxJsonDepth)
    return Fail("nested deeper than " + std::to_string(kMaxJsonDepth) + ", or a cycle");
  luaL_checkstack(lua_, 8, "nested too deep");
  // Charged each time, because a table with several references is written several times.
  ScriptBudget::Of(lua_).Charge(lua_, kStepsForATable);
  const Keys keys(lua_);
  const bool array = IsMarkedArray(lua_, -1);
  const bool object = IsMarkedObject(lua_, -1);
  if (keys.others != 0) return Fail("a table with a key that is neither a name nor an index");
  if (array || (!object && keys.names == 0 && keys.numbers != 0)) {
    if (keys.names != 0) return Fail("an array that has named members too");
    if (!keys.IsSequence())
      return Fail("an array whose items are not 1 to n; array(t, n) fills the rest with null");
    return WriteArray(keys.numbers, depth);
  }
  if (keys.numbers != 0 && !object)
    return Fail("a table that has both names and indices; object(t) makes names of all");
  return WriteObject(keys.numbers != 0, depth);
}

bool LuaJsonWriter::WriteArray(std::size_t count, std::size_t depth) {
  out.push_back('[');
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) out.push_back(',');
    lua_rawgeti(lua_, -1, static_cast<lua_Integer>(i + 1));
    const bool written = WriteValue(depth + 1);
    lua_pop(lua_, 1);
    if (!written) {
      path_.push_back(std::to_string(i));
      return false;
    }
  }
  out.push_back(']');
  return true;
}

bool LuaJsonWriter::WriteObject(bool number_names, std::size_t depth) {
  std::vector<std::pair<std::string, std::optional<lua_Integer>>> names;
  for (lua_pushnil(lua_); lua_next(lua_, -2) != 0; lua_pop(lua_, 1)) {
    if (number_names && lua_isinteger(lua_, -2) != 0) {
      const auto number = lua_tointeger(lua_, -2);
      names.emplace_back(std::to_string(number), number);
    } else {
      std::size_t size = 0;
      const char* const text = lua_tolstring(lua_, -2, &size);
      names.emplace_back(std::string(text, size), std::nullopt);
    }
  }
  std::sort(names.begin(), names.end());
  out.push_back('{');
  for (const auto& [name, number] : names) {
    if (out.back() != '{') out.push_back(',');
    if (number) {
      lua_rawgeti(lua_, -1, *number);
    } else {
      lua_pushlstring(lua_, name.data(), name.size());
      lua_rawget(lua_, -2);
    }
    const bool written = WriteMember(name, depth);
    lua_pop(lua_, 1);
    if (!written) {
      path_.push_back(name);
      return false;
    }
  }
  out.push_back('}');
  return true;
}

bool LuaJsonWriter::WriteMember(const std::string& name, std::size_t depth) {
  if (FindInvalidUtf8(name) != std::string_view::npos)
    return Fail("a member whose name is not UTF-8");
  AppendJsonString(out, name);
  out.push_back(':');
  return WriteValue(depth + 1);
}

}  // namespace tower
