// A compiled script in a state of its own.
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
  // What a script prints, a line at a time without its end.
  using Print = std::function<void(std::string_view)>;

  // `name` stands in errors: "map.lua". kInvalid: this is no Lua; the message has name and line.
  static Result<std::unique_ptr<LuaScript>> Compile(std::string_view text, const std::string& name,
                                                    Print print);
  ~LuaScript();
  LuaScript(const LuaScript&) = delete;
  LuaScript& operator=(const LuaScript&) = delete;

  // What the script returns for an event, as JSON; nothing for nil, null and an empty table.
  // `event` is JSON. kInvalid, with name and, of what the script did, line.
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
