#include "core/lua/json.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "core/lua/budget.h"
#include "core/lua/lua.h"
#include "core/lua/writer.h"

namespace tower {
namespace {

static_assert(sizeof(lua_Integer) == sizeof(std::int64_t));

constexpr std::uint64_t kBytesForAStep = 4;   // of JSON written; one that is read is a step
constexpr lua_Integer kMaxArray = 1'000'000;  // maximum n of array(t, n)

// Keys in Lua's registry, by address: the metatables that identify the kinds, and the value null.
constexpr char kArray = 0;
constexpr char kObject = 0;
constexpr char kBigNumber = 0;
constexpr char kNull = 0;
constexpr char kTheNull = 0;

void PushKind(lua_State* lua, const char& kind) { lua_rawgetp(lua, LUA_REGISTRYINDEX, &kind); }

// Creates a metatable that scripts see as `name` and cannot modify.
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

// Pushes a number that does not fit into a Lua number, as its text.
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

// Checks the argument of array() and object(): a table without another metatable.
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

bool IsNull(lua_State* lua, int index) { return HasKind(lua, index, kNull); }
bool IsMarkedArray(lua_State* lua, int index) { return HasKind(lua, index, kArray); }
bool IsMarkedObject(lua_State* lua, int index) { return HasKind(lua, index, kObject); }

std::optional<std::string_view> BigNumberAt(lua_State* lua, int index) {
  if (!HasKind(lua, index, kBigNumber)) return std::nullopt;
  return BigNumberText(lua, index);
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

}  // namespace tower
