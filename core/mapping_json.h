// JSON as Lua values, and back. For core/mapping*.cpp.
//
// null, arrays and numbers beyond Lua's own have values of their own, so that an event that goes
// through a script unchanged comes out equal. README.md ("Mapping") names them.
#ifndef CORE_MAPPING_JSON_H_
#define CORE_MAPPING_JSON_H_

#include <string>
#include <vector>

#include "core/json.h"

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

// Writes a Lua value as JSON: members sorted by name, so that equal values are equal bytes. Runs no
// code of the script.
class LuaJsonWriter {
 public:
  explicit LuaJsonWriter(lua_State* lua) : lua_(lua) {}

  // Appends the value on top of the stack, which stays there. False: it can't be JSON, `fault` says
  // where and why.
  bool Write();
  bool IsNullOnTop() const;

  std::string out;
  Fault fault;

 private:
  enum class Kind { kArray, kObject, kNeither };

  bool WriteValue(std::size_t depth);
  bool WriteNumber();
  bool WriteString();
  bool WriteUserdata();
  bool WriteTable(std::size_t depth);
  bool WriteArray(std::size_t count, std::size_t depth);
  bool WriteObject(bool number_names, std::size_t depth);
  bool WriteMember(const std::string& name, std::size_t depth);
  bool Fail(std::string detail);

  lua_State* const lua_;
  std::vector<std::string> path_;  // of the fault, innermost first
};

}  // namespace tower

#endif  // CORE_MAPPING_JSON_H_
