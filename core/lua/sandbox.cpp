#include "core/lua/sandbox.h"

#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "core/lua/budget.h"
#include "core/lua/json.h"
#include "core/lua/lua.h"
#include "core/lua/pattern.h"

namespace tower {
namespace {

// Its address is the registry key of the metatable of environments.
constexpr char kEnvironment = 0;

// The functions below replace functions of the standard library, which are their upvalues. The
// original is called on the same frame, so that its errors contain the line of the script.
int CallOriginal(lua_State* lua) { return lua_tocfunction(lua, lua_upvalueindex(1))(lua); }

// Refuses __gc, because finalizers run without hooks and so without limits.
int SetMetatable(lua_State* lua) {
  if (lua_istable(lua, 2)) {
    lua_pushliteral(lua, "__gc");
    if (lua_rawget(lua, 2) != LUA_TNIL) return luaL_error(lua, "__gc is not for scripts");
    lua_pop(lua, 1);
  }
  return CallOriginal(lua);
}

// Returns at once if there is nothing to repeat, because the library would still loop n times.
int Repeat(lua_State* lua) {
  std::size_t size = 0, separator = 0;
  luaL_checklstring(lua, 1, &size);
  luaL_optlstring(lua, 3, "", &separator);
  if (size + separator != 0) return CallOriginal(lua);
  luaL_checkinteger(lua, 2);
  lua_pushliteral(lua, "");
  return 1;
}

// The length without __len, because a wrong length could keep the library busy without limit.
std::uint64_t PlainLength(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (luaL_getmetafield(lua, 1, "__len") != LUA_TNIL)
    luaL_error(lua, "a table with __len is not for this function");
  return lua_rawlen(lua, 1);
}

// For insert and remove: charges for the items after the position, which are moved.
int MoveRest(lua_State* lua, int arguments_with_position) {
  const auto length = PlainLength(lua);
  if (lua_gettop(lua) >= arguments_with_position) ScriptBudget::Of(lua).Charge(lua, length);
  return CallOriginal(lua);
}
int Insert(lua_State* lua) { return MoveRest(lua, 3); }
int Remove(lua_State* lua) { return MoveRest(lua, 2); }

int Sort(lua_State* lua) {
  const auto length = static_cast<double>(PlainLength(lua));
  ScriptBudget::Of(lua).Charge(lua, static_cast<std::uint64_t>(length * std::log2(length + 1)));
  return CallOriginal(lua);
}

// For concat, unpack and move: charges for a range of the table; argument `first` is its lower
// bound.
int TakeRange(lua_State* lua, int first) {
  const auto length = static_cast<lua_Integer>(PlainLength(lua));
  const auto begin = luaL_optinteger(lua, first, 1);
  const auto end = luaL_optinteger(lua, first + 1, length);
  if (end >= begin) {
    const auto size = static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin);
    ScriptBudget::Of(lua).Charge(lua, size);
  }
  return CallOriginal(lua);
}
int Concat(lua_State* lua) { return TakeRange(lua, 3); }
int Unpack(lua_State* lua) { return TakeRange(lua, 2); }
int Move(lua_State* lua) { return TakeRange(lua, 2); }

// The order of keys: numbers, then strings, each sorted; other keys keep their positions.
bool Before(lua_State* lua, int left, int right) {
  const auto rank = [lua](int index) {
    const int type = lua_type(lua, index);
    return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2;
  };
  const int rank_left = rank(left);
  if (rank_left != rank(right)) return rank_left < rank(right);
  return rank_left != 2 && lua_compare(lua, left, right, LUA_OPLT) != 0;
}
int ComesBefore(lua_State* lua) {
  lua_pushboolean(lua, Before(lua, 1, 2));
  return 1;
}

// Upvalues: the table, its keys, the number of visited keys. Skips keys that have been removed.
int NextSorted(lua_State* lua) {
  auto at = lua_tointeger(lua, lua_upvalueindex(3));
  for (;;) {
    if (lua_rawgeti(lua, lua_upvalueindex(2), ++at) == LUA_TNIL) return 1;
    lua_pushvalue(lua, -1);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) break;
    lua_pop(lua, 2);
  }
  lua_pushinteger(lua, at);
  lua_replace(lua, lua_upvalueindex(3));
  return 2;
}

// Visits the keys in sorted order, because the order of the library changes from run to run, and
// the same event must give the same triggers. Upvalue 2: table.sort.
int Pairs(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
    lua_pop(lua, 1);
    return CallOriginal(lua);
  }
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 1);
  lua_newtable(lua);
  lua_Integer count = 0;
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    lua_pushvalue(lua, -2);
    lua_rawseti(lua, 2, ++count);
  }
  const auto size = static_cast<double>(count);
  ScriptBudget::Of(lua).Charge(lua, static_cast<std::uint64_t>(size * std::log2(size + 1)));
  lua_pushvalue(lua, lua_upvalueindex(2));
  lua_pushvalue(lua, 2);
  lua_pushcfunction(lua, ComesBefore);
  lua_call(lua, 2, 0);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, NextSorted, 3);
  return 1;
}

int RefuseToChange(lua_State* lua) { return luaL_error(lua, "this table can't be changed"); }

// Copies the named functions from the table below the top of the stack to the table on top.
void Keep(lua_State* lua, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    lua_getfield(lua, -2, name);
    lua_setfield(lua, -2, name);
  }
}

struct StandIn {
  const char* name;
  lua_CFunction function;
};

// Replaces functions in the table on top of the stack.
void Replace(lua_State* lua, std::initializer_list<StandIn> functions) {
  for (const auto& [name, function] : functions) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
  }
}

// Replaces the table on top by a read-only proxy.
void Protect(lua_State* lua) {
  lua_newtable(lua);
  lua_createtable(lua, 0, 3);
  lua_rotate(lua, -3, -1);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, RefuseToChange);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
}

// Pushes the result of a library's luaopen_ function.
void Open(lua_State* lua, lua_CFunction library) {
  lua_pushcfunction(lua, library);
  lua_call(lua, 0, 1);
}

// Makes the library on top of the stack a member of the table of globals below it.
void Give(lua_State* lua, const char* name) {
  Protect(lua);
  lua_setfield(lua, -2, name);
}

void AddBase(lua_State* lua) {
  Open(lua, luaopen_base);
  lua_newtable(lua);
  Keep(lua,
       {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
        "rawlen", "select", "setmetatable", "tonumber", "tostring", "type", "_VERSION"});
  Replace(lua, {{"setmetatable", SetMetatable}});
  lua_remove(lua, -2);
}

void AddStrings(lua_State* lua) {
  Open(lua, luaopen_string);
  lua_newtable(lua);
  Keep(lua, {"byte", "char", "format", "len", "lower", "pack", "packsize", "rep", "reverse", "sub",
             "unpack", "upper"});
  Replace(lua, {{"rep", Repeat}});
  AddPatternFunctions(lua);
  lua_remove(lua, -2);
  // String methods use these functions too, and scripts cannot get the metatable of strings.
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
  Give(lua, "string");
}

void AddTables(lua_State* lua) {
  Open(lua, luaopen_table);
  lua_getfield(lua, -2, "pairs");
  lua_getfield(lua, -2, "sort");
  lua_pushcclosure(lua, Pairs, 2);
  lua_setfield(lua, -3, "pairs");
  Replace(lua, {{"insert", Insert},
                {"remove", Remove},
                {"sort", Sort},
                {"concat", Concat},
                {"unpack", Unpack},
                {"move", Move}});
  Give(lua, "table");
}

void AddJson(lua_State* lua) {
  OpenLuaJson(lua);
  PushNull(lua);
  lua_setfield(lua, -2, "null");
  lua_pushcfunction(lua, LuaArray);
  lua_setfield(lua, -2, "array");
  lua_pushcfunction(lua, LuaObject);
  lua_setfield(lua, -2, "object");
  lua_newtable(lua);
  lua_pushcfunction(lua, LuaEncode);
  lua_setfield(lua, -2, "encode");
  lua_pushcfunction(lua, LuaDecode);
  lua_setfield(lua, -2, "decode");
  Give(lua, "json");
}

}  // namespace

void OpenSandbox(lua_State* lua) {
  AddBase(lua);
  AddStrings(lua);
  AddTables(lua);
  Open(lua, luaopen_math);
  Give(lua, "math");
  Open(lua, luaopen_utf8);
  Give(lua, "utf8");
  AddJson(lua);

  lua_createtable(lua, 0, 2);
  lua_rotate(lua, -2, 1);
  lua_setfield(lua, -2, "__index");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_rawsetp(lua, LUA_REGISTRYINDEX, &kEnvironment);
}

void PushEnvironment(lua_State* lua) {
  lua_createtable(lua, 0, 4);
  lua_rawgetp(lua, LUA_REGISTRYINDEX, &kEnvironment);
  lua_setmetatable(lua, -2);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -2, "_G");
}

}  // namespace tower
