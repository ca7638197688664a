// The headers of Lua. lua.hpp is not used, because only luaconf.h knows whether the functions of
// Lua compiled as C++ have C linkage (Debian 12) or not (Debian 13).
#ifndef CORE_LUA_LUA_H_
#define CORE_LUA_LUA_H_

#include <lua.h>
// These headers need lua.h.
#include <lauxlib.h>
#include <lualib.h>

#endif  // CORE_LUA_LUA_H_
