// A compiled Lua script with its own Lua state.
#ifndef CORE_LUA_SCRIPT_H_
#define CORE_LUA_SCRIPT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/json/json.h"
#include "core/lua/budget.h"

namespace tower {

class LuaScript {
 public:
  // Receives the output of print, line by line without line ends.
  using Print = std::function<void(std::string_view)>;

  // `name` is used in error messages: "map.lua". kInvalid for a syntax error; the message contains
  // name and line.
  static Result<std::unique_ptr<LuaScript>> Compile(std::string_view text, const std::string& name,
                                                    Print print);
  ~LuaScript();
  LuaScript(const LuaScript&) = delete;
  LuaScript& operator=(const LuaScript&) = delete;

  // Runs the script on `event`, which is JSON, and returns its result as JSON; nullopt for nil,
  // null and an empty table. kInvalid; the message contains the name and, for an error of the
  // script, the line.
  Result<std::optional<std::string>> Run(std::string_view event);

  const std::string& name() const noexcept { return name_; }
  std::size_t used_bytes() const noexcept { return budget_.used_bytes(); }

 private:
  struct Job;
  LuaScript(std::string name, Print print) : name_(std::move(name)), print_(std::move(print)) {}

  Error TakeError(int status);
  static LuaScript& Of(lua_State* lua);
  static int OpenProtected(lua_State* lua);
  static int RunProtected(lua_State* lua);
  static int PrintLine(lua_State* lua);

  const std::string name_;
  const Print print_;
  JsonTape tape_;
  ScriptBudget budget_;
  lua_State* lua_ = nullptr;
};

}  // namespace tower

#endif  // CORE_LUA_SCRIPT_H_
