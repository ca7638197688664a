// Converts JSON to Lua values and back.
//
// null, arrays and numbers that do not fit into a Lua number have their own representation, so that
// an event that a script returns unchanged stays equal.
#ifndef CORE_LUA_JSON_H_
#define CORE_LUA_JSON_H_

#include <optional>
#include <string_view>

#include "core/json/json.h"

struct lua_State;

namespace tower {

// All of these can raise Lua errors and must be called within lua_pcall.

// Must be called once for each state, before the other functions.
void OpenLuaJson(lua_State* lua);

void PushNull(lua_State* lua);
void PushJson(lua_State* lua, const JsonValue& value);

// The functions that scripts can call: array(t, n), object(t), json.encode(v), json.decode(text).
int LuaArray(lua_State* lua);
int LuaObject(lua_State* lua);
int LuaEncode(lua_State* lua);
int LuaDecode(lua_State* lua);

// The kind of the value at a stack index.
bool IsNull(lua_State* lua, int index);
bool IsMarkedArray(lua_State* lua, int index);
bool IsMarkedObject(lua_State* lua, int index);
// The text of a number that does not fit into a Lua number; valid as long as the value exists.
std::optional<std::string_view> BigNumberAt(lua_State* lua, int index);

}  // namespace tower

#endif  // CORE_LUA_JSON_H_
