// The environment of scripts.
#ifndef CORE_LUA_SANDBOX_H_
#define CORE_LUA_SANDBOX_H_

struct lua_State;

namespace tower {

// These functions must be called within lua_pcall.

// Must be called once for each state: creates the functions that all environments share and that
// scripts cannot modify. Deliberately omitted: io, os, require, debug, load and similar functions,
// string.dump, coroutine, collectgarbage, warn, rawset; also xpcall and __gc, because their
// handlers would run outside of the limits.
void OpenSandbox(lua_State* lua);

// Pushes a new, empty environment.
void PushEnvironment(lua_State* lua);

}  // namespace tower

#endif  // CORE_LUA_SANDBOX_H_
