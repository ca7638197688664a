#include "core/lua/script.h"

#include <utility>

#include "core/lua/json.h"
#include "core/lua/lua.h"
#include "core/lua/sandbox.h"
#include "core/lua/writer.h"

namespace tower {
namespace {

constexpr std::size_t kLongestMessage = 1000;
constexpr int kLevels = 10;                    // of calls in which an error's line is looked for
constexpr std::size_t kTidyBytes = 8U << 20U;  // above this, collect garbage after each event

constexpr char kChunk = 0;  // its address is a registry key

// Message handler: adds the line of the script to errors without one, such as those from libraries,
// and converts other error values to text. Does not run code of the script.
int Explain(lua_State* lua) {
  if (lua_type(lua, 1) == LUA_TNUMBER) lua_tostring(lua, 1);
  if (lua_type(lua, 1) != LUA_TSTRING) {
    lua_pushfstring(lua, "the script raised a %s as its error", luaL_typename(lua, 1));
    lua_replace(lua, 1);
  }
  lua_settop(lua, 1);
  lua_Debug where{};
  for (int level = 1; level < kLevels && lua_getstack(lua, level, &where) != 0; ++level) {
    lua_getinfo(lua, "Sl", &where);
    if (where.currentline <= 0) continue;
    const std::string_view message = lua_tostring(lua, 1);
    if (message.starts_with(where.short_src)) break;
    lua_pushfstring(lua, "%s:%d: ", where.short_src, where.currentline);
    lua_insert(lua, 1);
    lua_concat(lua, 2);
    break;
  }
  return 1;
}

void SetEnvironment(lua_State* lua, int function) { lua_setupvalue(lua, function, 1); }

}  // namespace

// The processing of one event.
struct LuaScript::Job {
  const JsonValue* event = nullptr;
  std::optional<std::string> result;
  std::string fault;
};

LuaScript::~LuaScript() {
  if (lua_ != nullptr) lua_close(lua_);
}

LuaScript& LuaScript::Of(lua_State* lua) {
  return *static_cast<LuaScript*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

int LuaScript::PrintLine(lua_State* lua) {
  const auto& print = Of(lua).print_;
  std::string line;
  for (int i = 1, n = lua_gettop(lua); i <= n; ++i) {
    std::size_t size = 0;
    const char* const text = luaL_tolstring(lua, i, &size);
    if (i > 1) line += '\t';
    line.append(text, size);
    lua_pop(lua, 1);
  }
  if (print) print(line);
  return 0;
}

// Arguments: this, the text.
int LuaScript::OpenProtected(lua_State* lua) {
  auto& self = *static_cast<LuaScript*>(lua_touserdata(lua, 1));
  const auto& text = *static_cast<const std::string_view*>(lua_touserdata(lua, 2));
  OpenSandbox(lua);
  const auto name = "=" + self.name_;
  if (luaL_loadbufferx(lua, text.data(), text.size(), name.c_str(), "t") != LUA_OK)
    return lua_error(lua);
  lua_rawsetp(lua, LUA_REGISTRYINDEX, &kChunk);
  return 0;
}

Result<std::unique_ptr<LuaScript>> LuaScript::Compile(std::string_view text,
                                                      const std::string& name, Print print) {
  std::unique_ptr<LuaScript> script(new LuaScript(name, std::move(print)));
  script->lua_ = script->budget_.NewState();
  auto* const lua = script->lua_;
  if (lua == nullptr) return Error{ErrorCode::kUnavailable, name + ": no memory for a script"};
  script->budget_.Refill(lua);
  lua_pushcfunction(lua, OpenProtected);
  lua_pushlightuserdata(lua, script.get());
  lua_pushlightuserdata(lua, &text);
  if (const int status = lua_pcall(lua, 2, 0, 0); status != LUA_OK)
    return script->TakeError(status);
  return script;
}

// Arguments: this, the job.
int LuaScript::RunProtected(lua_State* lua) {
  auto& self = *static_cast<LuaScript*>(lua_touserdata(lua, 1));
  auto& job = *static_cast<Job*>(lua_touserdata(lua, 2));
  lua_settop(lua, 0);
  lua_rawgetp(lua, LUA_REGISTRYINDEX, &kChunk);
  PushEnvironment(lua);
  PushJson(lua, *job.event);
  lua_setfield(lua, -2, "event");
  lua_pushlightuserdata(lua, &self);
  lua_pushcclosure(lua, PrintLine, 1);
  lua_setfield(lua, -2, "print");
  SetEnvironment(lua, 1);
  lua_call(lua, 0, LUA_MULTRET);

  const int count = lua_gettop(lua);
  LuaJsonWriter writer(lua);
  if (count == 0 || (count == 1 && (lua_isnil(lua, 1) || IsNull(lua, 1)))) return 0;
  if (count > 1) {
    job.fault = "it returned " + std::to_string(count) + " values; put triggers into one table";
  } else if (!lua_istable(lua, 1)) {
    job.fault = std::string("it returned a ") + luaL_typename(lua, 1) +
                "; expected a trigger, an array of triggers, or nil";
  } else {
    lua_pushnil(lua);
    if (lua_next(lua, 1) == 0) return 0;  // an empty array
    lua_settop(lua, 1);
    if (writer.Write()) {
      job.result = std::move(writer.out);
    } else {
      job.fault = "what it returned can't be JSON: " + Describe({writer.fault});
    }
  }
  return 0;
}

Result<std::optional<std::string>> LuaScript::Run(std::string_view event) {
  const auto root = tape_.Read(event);
  if (!root) return Error{ErrorCode::kInvalid, "the event is not JSON: " + Describe(root.error())};
  Job job{.event = &*root};
  budget_.Refill(lua_);
  lua_pushcfunction(lua_, Explain);
  lua_pushcfunction(lua_, RunProtected);
  lua_pushlightuserdata(lua_, this);
  lua_pushlightuserdata(lua_, &job);
  const int status = lua_pcall(lua_, 2, 0, 1);
  tape_.Trim();

  std::optional<Error> error;
  if (status != LUA_OK || !budget_.exhausted().empty()) {
    error = TakeError(status);
  } else if (!job.fault.empty()) {
    error = Error{ErrorCode::kInvalid, name_ + ": " + job.fault};
  }
  // Release the event.
  lua_settop(lua_, 0);
  lua_rawgetp(lua_, LUA_REGISTRYINDEX, &kChunk);
  lua_pushnil(lua_);
  SetEnvironment(lua_, 1);
  lua_settop(lua_, 0);
  if (budget_.used_bytes() > kTidyBytes) lua_gc(lua_, LUA_GCCOLLECT);
  if (error) return *std::move(error);
  return std::move(job.result);
}

Error LuaScript::TakeError(int status) {
  std::string text = budget_.exhausted();
  if (text.empty() && status == LUA_ERRMEM) text = "more than 64 MiB of memory";
  if (text.empty() && lua_type(lua_, -1) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* const message = lua_tolstring(lua_, -1, &size);
    text.assign(message, size);
  }
  if (text.empty()) text = "it failed without a message";
  if (text.size() > kLongestMessage) text.replace(kLongestMessage, std::string::npos, "...");
  if (!text.starts_with(name_ + ":")) text.insert(0, name_ + ": ");
  return {ErrorCode::kInvalid, std::move(text)};
}

}  // namespace tower
