#include "core/mapping_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/json_text.h"
#include "core/mapping_budget.h"

namespace tower {
namespace {

static_assert(sizeof(lua_Integer) == sizeof(std::int64_t));

constexpr std::uint64_t kBytesForAStep = 4;   // of JSON written; one that is read is a step
constexpr std::uint64_t kStepsForATable = 4;  // written
constexpr lua_Integer kMaxArray = 1'000'000;  // that array(t, n) fills

// Keys in Lua's registry, by address: the metatables that tell the kinds, and the one null.
constexpr char kArray = 0;
constexpr char kObject = 0;
constexpr char kBigNumber = 0;
constexpr char kNull = 0;
constexpr char kTheNull = 0;

void PushKind(lua_State* lua, const char& kind) { lua_rawgetp(lua, LUA_REGISTRYINDEX, &kind); }

// A metatable that scripts see as `name` and can't touch.
void NewKind(lua_State* lua, const char& kind, const char* name) {
  lua_createtable(lua, 0, 4);
  lua_pushstring(lua, name);
  lua_setfield(lua, -2, "__name");
  lua_pushstring(lua, name);
  lua_setfield(lua, -2, "__metatable");
  lua_rawsetp(lua, LUA_REGISTRYINDEX, &kind);
}

bool HasKind(lua_State* lua, int index, const char& kind) {
  if (lua_getmetatable(lua, index) == 0) return false;
  PushKind(lua, kind);
  const bool same = lua_rawequal(lua, -1, -2) != 0;
  lua_pop(lua, 2);
  return same;
}

std::string_view BigNumberText(lua_State* lua, int index) {
  return {static_cast<const char*>(lua_touserdata(lua, index)), lua_rawlen(lua, index)};
}

int BigNumberToString(lua_State* lua) {
  if (!HasKind(lua, 1, kBigNumber)) return luaL_argerror(lua, 1, "big number expected");
  const auto text = BigNumberText(lua, 1);
  lua_pushlstring(lua, text.data(), text.size());
  return 1;
}

int BigNumberEquals(lua_State* lua) {
  const bool both = HasKind(lua, 1, kBigNumber) && HasKind(lua, 2, kBigNumber);
  lua_pushboolean(lua, both && BigNumberText(lua, 1) == BigNumberText(lua, 2));
  return 1;
}

int NullToString(lua_State* lua) {
  lua_pushliteral(lua, "null");
  return 1;
}

void AddMethod(lua_State* lua, const char& kind, const char* name, lua_CFunction function) {
  PushKind(lua, kind);
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, name);
  lua_pop(lua, 1);
}

// A number that Lua has no room for, by its digits.
void PushBigNumber(lua_State* lua, std::string_view text) {
  void* const block = lua_newuserdatauv(lua, text.size(), 0);
  text.copy(static_cast<char*>(block), text.size());
  PushKind(lua, kBigNumber);
  lua_setmetatable(lua, -2);
}

template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T number{};
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

void PushNumber(lua_State* lua, std::string_view text) {
  const bool whole = text.find_first_of(".eE") == std::string_view::npos && text != "-0";
  if (whole) {
    if (const auto number = ParseNumber<lua_Integer>(text)) {
      lua_pushinteger(lua, *number);
      return;
    }
  } else if (const auto number = ParseNumber<lua_Number>(text)) {
    lua_pushnumber(lua, *number);
    return;
  }
  PushBigNumber(lua, text);
}

void PushString(lua_State* lua, const JsonValue& value) {
  const auto text = value.text();
  if (text.find('\\') == std::string_view::npos) {
    lua_pushlstring(lua, text.data() + 1, text.size() - 2);
  } else {
    const auto unescaped = value.String();
    lua_pushlstring(lua, unescaped.data(), unescaped.size());
  }
}

// What raw iteration says about the keys of the table on top.
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

// The argument of array() and object(): a table that is nobody else's kind.
void CheckMarkable(lua_State* lua) {
  if (lua_isnoneornil(lua, 1)) {
    lua_settop(lua, 0);
    lua_newtable(lua);
    return;
  }
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (lua_getmetatable(lua, 1) == 0) return;
  lua_pop(lua, 1);
  if (!HasKind(lua, 1, kArray) && !HasKind(lua, 1, kObject))
    luaL_argerror(lua, 1, "this table has a metatable of its own");
}

int Mark(lua_State* lua, const char& kind) {
  lua_settop(lua, 1);
  PushKind(lua, kind);
  lua_setmetatable(lua, 1);
  return 1;
}

}  // namespace

void OpenLuaJson(lua_State* lua) {
  NewKind(lua, kArray, "array");
  NewKind(lua, kObject, "object");
  NewKind(lua, kBigNumber, "big number");
  AddMethod(lua, kBigNumber, "__tostring", BigNumberToString);
  AddMethod(lua, kBigNumber, "__eq", BigNumberEquals);
  lua_newuserdatauv(lua, 0, 0);
  NewKind(lua, kNull, "null");
  AddMethod(lua, kNull, "__tostring", NullToString);
  PushKind(lua, kNull);
  lua_setmetatable(lua, -2);
  lua_rawsetp(lua, LUA_REGISTRYINDEX, &kTheNull);
}

void PushNull(lua_State* lua) { lua_rawgetp(lua, LUA_REGISTRYINDEX, &kTheNull); }

void PushJson(lua_State* lua, const JsonValue& value) {
  luaL_checkstack(lua, 8, "the event is nested too deep");
  switch (value.type()) {
    case JsonType::kNull:
      return PushNull(lua);
    case JsonType::kFalse:
    case JsonType::kTrue:
      return lua_pushboolean(lua, value.type() == JsonType::kTrue);
    case JsonType::kNumber:
      return PushNumber(lua, value.text());
    case JsonType::kString:
      return PushString(lua, value);
    case JsonType::kArray: {
      lua_createtable(lua, static_cast<int>(value.size()), 0);
      PushKind(lua, kArray);
      lua_setmetatable(lua, -2);
      lua_Integer index = 0;
      for (const JsonValue& item : value) {
        PushJson(lua, item);
        lua_rawseti(lua, -2, ++index);
      }
      return;
    }
    case JsonType::kObject:
      lua_createtable(lua, 0, static_cast<int>(value.size()));
      for (const JsonValue& member : value) {
        const auto name = member.Name();
        lua_pushlstring(lua, name.data(), name.size());
        PushJson(lua, member);
        lua_rawset(lua, -3);
      }
      return;
  }
}

int LuaArray(lua_State* lua) {
  const auto count = luaL_optinteger(lua, 2, 0);
  luaL_argcheck(lua, count >= 0 && count <= kMaxArray, 2, "expected 0 to 1000000");
  CheckMarkable(lua);
  ScriptBudget::Of(lua).Charge(lua, static_cast<std::uint64_t>(count));
  for (lua_Integer i = 1; i <= count; ++i) {
    if (lua_rawgeti(lua, 1, i) == LUA_TNIL) {
      PushNull(lua);
      lua_rawseti(lua, 1, i);
    }
    lua_pop(lua, 1);
  }
  return Mark(lua, kArray);
}

int LuaObject(lua_State* lua) {
  CheckMarkable(lua);
  return Mark(lua, kObject);
}

int LuaEncode(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_settop(lua, 1);
  LuaJsonWriter writer(lua);
  if (!writer.Write()) return luaL_error(lua, "%s", Describe({writer.fault}).c_str());
  ScriptBudget::Of(lua).Charge(lua, writer.out.size() / kBytesForAStep);
  lua_pushlstring(lua, writer.out.data(), writer.out.size());
  return 1;
}

int LuaDecode(lua_State* lua) {
  std::size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  ScriptBudget::Of(lua).Charge(lua, size);
  JsonTape tape;
  const auto root = tape.Read({text, size});
  if (!root) return luaL_error(lua, "%s", Describe(root.error()).c_str());
  PushJson(lua, *root);
  return 1;
}

bool LuaJsonWriter::IsNullOnTop() const { return HasKind(lua_, -1, kNull); }

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
  // The shortest digits that read as the same number, and a float stays one.
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
  if (HasKind(lua_, -1, kNull)) {
    out.append("null");
    return true;
  }
  if (!HasKind(lua_, -1, kBigNumber)) return Fail("a userdata, which JSON has not");
  out.append(BigNumberText(lua_, -1));
  return true;
}

bool LuaJsonWriter::WriteTable(std::size_t depth) {
  if (depth == kMaxJsonDepth)
    return Fail("nested deeper than " + std::to_string(kMaxJsonDepth) + ", or a cycle");
  luaL_checkstack(lua_, 8, "nested too deep");
  ScriptBudget::Of(lua_).Charge(lua_, kStepsForATable);  // one that is there twice is written twice
  const Keys keys(lua_);
  const bool array = HasKind(lua_, -1, kArray);
  const bool object = HasKind(lua_, -1, kObject);
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
