// What a script may use up on one event: memory, steps, time.
//
// A step is an instruction of Lua's machine, or as much work inside a function of ours or of a
// standard library. Steps are what a runaway script meets first, on every machine at the same
// place; time is the limit for what they can't count.
#ifndef CORE_LUA_BUDGET_H_
#define CORE_LUA_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

struct lua_State;

namespace tower {

inline constexpr std::size_t kMaxScriptBytes = 64U << 20U;  // the event as a table included
inline constexpr std::int64_t kMaxScriptSteps = 10'000'000;
inline constexpr std::chrono::nanoseconds kMaxScriptTime = std::chrono::seconds(2);  // of processor

class ScriptBudget {
 public:
  // An empty state whose memory is counted here. Null when there is no memory. This object outlives
  // the state.
  lua_State* NewState();
  static ScriptBudget& Of(lua_State* lua);

  // At the start of each event.
  void Refill(lua_State* lua);

  // Raises an error in Lua once more than all steps are taken. From then on each instruction raises
  // it again, so that no pcall of the script outlives it.
  void Charge(lua_State* lua, std::uint64_t steps);

  std::size_t used_bytes() const noexcept { return used_; }
  // Where and why the script was ended; empty when it was not.
  const std::string& exhausted() const noexcept { return exhausted_; }

 private:
  static void* Allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  void Spend(std::uint64_t steps) noexcept;
  void CheckTime(lua_State* lua);
  void CheckCall(lua_State* lua);
  [[noreturn]] void Exhaust(lua_State* lua, const char* limit);
  friend void CountSteps(lua_State* lua);
  friend void NoteCall(lua_State* lua);

  std::size_t used_ = 0;
  std::int64_t steps_ = kMaxScriptSteps;  // left
  std::chrono::nanoseconds deadline_{};   // by the thread's processor clock
  std::chrono::steady_clock::time_point looked_at_{};
  std::string exhausted_;
};

}  // namespace tower

#endif  // CORE_LUA_BUDGET_H_
