// Converts Lua values to JSON.
#ifndef CORE_LUA_WRITER_H_
#define CORE_LUA_WRITER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/json/json.h"

struct lua_State;

namespace tower {

// Writes a Lua value as JSON. Members are sorted by name, so that equal values give equal bytes.
// Does not run code of the script.
class LuaJsonWriter {
 public:
  explicit LuaJsonWriter(lua_State* lua) : lua_(lua) {}

  // Appends the value on top of the stack to `out` without popping it. Returns false if JSON cannot
  // represent it; `fault` then says where and why.
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
  std::vector<std::string> path_;  // path to the fault, innermost first
};

}  // namespace tower

#endif  // CORE_LUA_WRITER_H_
