#include "core/lua/budget.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "core/lua/lua.h"

namespace tower {
namespace {

constexpr int kPeriod = 1000;  // instructions between two checks
constexpr std::chrono::milliseconds kLook{20};
constexpr std::uint64_t kBytesForAStep = 64;  // allocated, and therefore filled or copied

std::chrono::nanoseconds ProcessorTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

void CountCall(lua_State* lua) { ScriptBudget::Of(lua).CheckCall(lua); }

void CountSteps(lua_State* lua) {
  auto& budget = ScriptBudget::Of(lua);
  budget.Charge(lua, kPeriod);
  budget.CheckTime(lua);
}

namespace {
void OnCount(lua_State* lua, lua_Debug* what) {
  if (what->event == LUA_HOOKCOUNT) {
    CountSteps(lua);
  } else {
    CountCall(lua);
  }
}
}  // namespace

lua_State* ScriptBudget::NewState() {
  lua_State* const lua = lua_newstate(Allocate, this);
  if (lua != nullptr) *static_cast<ScriptBudget**>(lua_getextraspace(lua)) = this;
  return lua;
}

ScriptBudget& ScriptBudget::Of(lua_State* lua) {
  return **static_cast<ScriptBudget**>(lua_getextraspace(lua));
}

void ScriptBudget::Refill(lua_State* lua) {
  steps_ = kMaxScriptSteps;
  deadline_ = ProcessorTime() + kMaxScriptTime;
  looked_at_ = std::chrono::steady_clock::now();
  exhausted_.clear();
  lua_sethook(lua, OnCount, LUA_MASKCOUNT | LUA_MASKCALL, kPeriod);
}

void ScriptBudget::Charge(lua_State* lua, std::uint64_t steps) {
  Spend(steps);
  if (steps_ < 0) Exhaust(lua, "more than 10 million steps");
}

void ScriptBudget::CheckTime(lua_State* lua) {
  if (ProcessorTime() > deadline_) Exhaust(lua, "more than 2 seconds");
}

// Checks the limits at a call, because a C function may process megabytes, and many of them can be
// called between two checks of the instruction hook.
void ScriptBudget::CheckCall(lua_State* lua) {
  if (steps_ < 0) Exhaust(lua, "more than 10 million steps");
  const auto now = std::chrono::steady_clock::now();  // cheaper than the CPU clock
  if (now - looked_at_ < kLook) return;
  looked_at_ = now;
  CheckTime(lua);
}

void ScriptBudget::Spend(std::uint64_t steps) noexcept {
  constexpr std::uint64_t kMost = 2 * kMaxScriptSteps;
  if (steps_ >= 0) steps_ -= static_cast<std::int64_t>(std::min(steps, kMost));
}

void ScriptBudget::Exhaust(lua_State* lua, const char* limit) {
  steps_ = -1;
  lua_sethook(lua, OnCount, LUA_MASKCOUNT, 1);
  constexpr int kLevels = 10;
  luaL_where(lua, 0);
  for (int level = 1; level < kLevels && *lua_tostring(lua, -1) == '\0'; ++level)
    luaL_where(lua, level);  // C functions have no line
  if (exhausted_.empty()) exhausted_.append(lua_tostring(lua, -1)).append(limit);
  lua_pushstring(lua, exhausted_.c_str());
  lua_error(lua);
  std::abort();  // never reached: lua_error does not return
}

void* ScriptBudget::Allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto& budget = *static_cast<ScriptBudget*>(self);
  const std::size_t held = block != nullptr ? old_size : 0;  // for a new block old_size is the type
  if (new_size == 0) {
    std::free(block);
    budget.used_ -= held;
    return nullptr;
  }
  const bool grows = new_size > held;
  if (grows && new_size - held > kMaxScriptBytes - std::min(budget.used_, kMaxScriptBytes)) {
    return nullptr;  // Lua collects garbage and retries, or raises an error
  }
  void* const now = std::realloc(block, new_size);
  if (now == nullptr) return nullptr;
  budget.used_ = budget.used_ - held + new_size;
  if (grows) budget.Spend(new_size / kBytesForAStep);
  return now;
}

}  // namespace tower
