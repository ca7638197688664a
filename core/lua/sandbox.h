// What a script finds when it starts.
#ifndef CORE_LUA_SANDBOX_H_
#define CORE_LUA_SANDBOX_H_

struct lua_State;

namespace tower {

// To be called inside of lua_pcall, as all here.

// Once for each state: makes what environments have in common, which scripts can read and not
// change. Missing on purpose: io, os, require, debug, load and its kin, string.dump, coroutine,
// collectgarbage, warn, rawset; xpcall and __gc, whose functions would run where no limit counts.
void OpenSandbox(lua_State* lua);

// Pushes a new, empty environment.
void PushEnvironment(lua_State* lua);

}  // namespace tower

#endif  // CORE_LUA_SANDBOX_H_
