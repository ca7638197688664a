// The resource limits of a script for one event: memory, steps and time.
//
// A step is one instruction of the Lua virtual machine, or a comparable amount of work in a native
// function. Normally a runaway script reaches the limit on steps first, at the same point on every
// machine; the limit on time covers work that is not counted in steps.
#ifndef CORE_LUA_BUDGET_H_
#define CORE_LUA_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

struct lua_State;

namespace tower {

inline constexpr std::size_t kMaxScriptBytes = 64U << 20U;  // including the event as a table
inline constexpr std::int64_t kMaxScriptSteps = 10'000'000;
inline constexpr std::chrono::nanoseconds kMaxScriptTime = std::chrono::seconds(2);  // CPU time

class ScriptBudget {
 public:
  // Creates an empty state whose memory is charged to this budget. Returns nullptr if there is not
  // enough memory. The budget outlives the state.
  lua_State* NewState();
  static ScriptBudget& Of(lua_State* lua);

  // Resets steps and time; to be called at the start of each event.
  void Refill(lua_State* lua);

  // Counts steps, and raises a Lua error once the limit is exceeded. From then on each instruction
  // raises it again, so that the script cannot continue after a pcall.
  void Charge(lua_State* lua, std::uint64_t steps);

  std::size_t used_bytes() const noexcept { return used_; }
  // Where and why the script was stopped; empty if it was not.
  const std::string& exhausted() const noexcept { return exhausted_; }

 private:
  static void* Allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  void Spend(std::uint64_t steps) noexcept;
  void CheckTime(lua_State* lua);
  void CheckCall(lua_State* lua);
  [[noreturn]] void Exhaust(lua_State* lua, const char* limit);
  friend void CountSteps(lua_State* lua);
  friend void CountCall(lua_State* lua);

  std::size_t used_ = 0;
  std::int64_t steps_ = kMaxScriptSteps;  // left
  std::chrono::nanoseconds deadline_{};   // in CPU time of the thread
  std::chrono::steady_clock::time_point looked_at_{};
  std::string exhausted_;
};

}  // namespace tower

#endif  // CORE_LUA_BUDGET_H_
