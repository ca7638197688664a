// Lua values as JSON.
#ifndef CORE_LUA_WRITER_H_
#define CORE_LUA_WRITER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/json/json.h"

struct lua_State;

namespace tower {

// Writes a Lua value as JSON: members sorted by name, so that equal values are equal bytes. Runs no
// code of the script.
class LuaJsonWriter {
 public:
  explicit LuaJsonWriter(lua_State* lua) : lua_(lua) {}

  // Appends the value on top of the stack, which stays there. False: it can't be JSON, `fault` says
  // where and why.
  bool Write();

  std::string out;
  Fault fault;

 private:
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

#endif  // CORE_LUA_WRITER_H_
