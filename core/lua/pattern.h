// Lua patterns (Lua 5.4 manual, section 6.4.1), matched within the budget of a script.
#ifndef CORE_LUA_PATTERN_H_
#define CORE_LUA_PATTERN_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

struct lua_State;

namespace tower {

// Adds find, match, gmatch and gsub to the table on top of the stack. They work like those of Lua's
// string library, but each step of a search is charged to the budget, so that a pattern with
// exponential backtracking becomes an error. Can raise Lua errors.
void AddPatternFunctions(lua_State* lua);

// A compiled pattern. The constructor raises a Lua error if any part of the pattern is malformed.
class LuaPattern {
 public:
  // `anchors`: whether a `^` at the start is an anchor or an ordinary character.
  LuaPattern(lua_State* lua, std::string_view pattern, bool anchors);

  struct Item {
    enum class Kind : std::uint8_t {
      kOnce,
      kMaybe,
      kMany,
      kFew,
      kOpen,
      kPosition,
      kClose,
      kSame,
      kBalanced,
      kFrontier,
      kEnd
    };
    Kind kind = Kind::kOnce;
    std::uint8_t capture = 0;   // for kOpen, kPosition, kClose, kSame
    bool at_least_one = false;  // for kMany
    char left = 0, right = 0;   // for kBalanced
    std::bitset<256> set;       // for the first four and kFrontier
  };

  bool anchored() const noexcept { return anchored_; }
  const std::vector<Item>& items() const noexcept { return items_; }
  std::size_t captures() const noexcept { return captures_; }

 private:
  void Compile(std::string_view pattern);
  void CompileEscape();
  void CompileOpen();
  void CompileClose();
  void CompileSingle();
  std::bitset<256> TakeSet();
  std::bitset<256> TakeBrackets();
  char Take(const char* missing);
  bool Next(char c) const noexcept { return !rest_.empty() && rest_.front() == c; }
  [[noreturn]] void Fail(const char* why) const;

  lua_State* const lua_;
  std::string_view rest_;  // the part that is not yet compiled
  bool anchored_ = false;
  std::vector<Item> items_;
  std::uint8_t captures_ = 0;
  std::vector<std::uint8_t> open_;  // captures that are not yet closed
  std::bitset<256> referable_;      // captures that are closed and hold text
};

// Searches a text for a pattern. Both outlive the matcher.
class LuaMatcher {
 public:
  LuaMatcher(lua_State* lua, const LuaPattern& pattern, std::string_view text);

  // The end of the match that begins at `begin`, or nullopt.
  std::optional<std::size_t> Match(std::size_t begin);

  // The first match at or after `from`; only at `from` if the pattern is anchored.
  struct Found {
    std::size_t begin, end;
  };
  std::optional<Found> Find(std::size_t from);

  // Pushes capture `index` (from 0) of the last match; if the pattern has no captures, capture 0 is
  // the whole match.
  void PushCapture(std::size_t index, const Found& whole) const;
  // Pushes all captures and returns their number.
  int PushCaptures(const Found& whole) const;

 private:
  struct Capture {
    std::size_t begin = 0, end = 0;
    bool position = false;
  };
  // An item that can also match in another way, for backtracking.
  struct Choice {
    std::size_t item;
    std::size_t at;      // kMaybe and kMany: where to continue; kFew: the end of its match so far
    std::size_t lowest;  // kMany: the last position to try
  };

  bool Step(std::size_t item);
  bool StepMany(const LuaPattern::Item& item, std::size_t index);
  bool StepBalanced(const LuaPattern::Item& item);
  bool StepSame(const LuaPattern::Item& item);
  bool Retry(std::size_t& item);
  bool In(const LuaPattern::Item& item, std::size_t at) const noexcept {
    return at < text_.size() && item.set[static_cast<unsigned char>(text_[at])];
  }
  void Spend(std::size_t steps);

  lua_State* const lua_;
  const LuaPattern& pattern_;
  const std::string_view text_;
  std::vector<Capture> captures_;
  std::vector<Choice> choices_;
  std::size_t at_ = 0;
  std::size_t unpaid_ = 0;
};

}  // namespace tower

#endif  // CORE_LUA_PATTERN_H_
