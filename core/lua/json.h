// JSON as Lua values, and back.
//
// null, arrays and numbers beyond Lua's own have values of their own, so that an event that goes
// through a script unchanged comes out equal. README.md ("Mapping") names them.
#ifndef CORE_LUA_JSON_H_
#define CORE_LUA_JSON_H_

#include <optional>
#include <string_view>

#include "core/json/json.h"

struct lua_State;

namespace tower {

// All of these may raise errors in Lua: to be called inside of lua_pcall.

// Once for each state, before the others.
void OpenLuaJson(lua_State* lua);

void PushNull(lua_State* lua);
void PushJson(lua_State* lua, const JsonValue& value);

// The functions of scripts: array(t, n), object(t), json.encode(v), json.decode(text).
int LuaArray(lua_State* lua);
int LuaObject(lua_State* lua);
int LuaEncode(lua_State* lua);
int LuaDecode(lua_State* lua);

// What the value at an index is.
bool IsNull(lua_State* lua, int index);
bool IsMarkedArray(lua_State* lua, int index);
bool IsMarkedObject(lua_State* lua, int index);
// The digits of a number that Lua has no room for; valid as long as the value lives.
std::optional<std::string_view> BigNumberAt(lua_State* lua, int index);

}  // namespace tower

#endif  // CORE_LUA_JSON_H_
