// Lua's headers. Not lua.hpp: whether the functions of Lua that was compiled as C++ have C linkage
// (Debian 12) or not (Debian 13) is told by luaconf.h alone.
#ifndef CORE_LUA_LUA_H_
#define CORE_LUA_LUA_H_

#include <lua.h>
// These need lua.h.
#include <lauxlib.h>
#include <lualib.h>

#endif  // CORE_LUA_LUA_H_
