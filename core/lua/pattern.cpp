#include "core/lua/pattern.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "core/lua/budget.h"
#include "core/lua/lua.h"

namespace tower {
namespace {

using Item = LuaPattern::Item;
using Kind = Item::Kind;
using Set = std::bitset<256>;

constexpr std::uint8_t kMaxCaptures = 32;
constexpr std::size_t kMaxItems = 10'000;
constexpr std::size_t kBytesForAStep = 8;  // compared at once
constexpr std::size_t kSpendAtOnce = 256;

std::size_t Index(char c) { return static_cast<unsigned char>(c); }

// Uses ASCII, independent of the locale.
bool HasClass(int c, char letter) {
  if (c >= 128) return false;
  switch (letter) {
    case 'a':
      return std::isalpha(c) != 0;
    case 'c':
      return std::iscntrl(c) != 0;
    case 'd':
      return std::isdigit(c) != 0;
    case 'g':
      return std::isgraph(c) != 0;
    case 'l':
      return std::islower(c) != 0;
    case 'p':
      return std::ispunct(c) != 0;
    case 's':
      return std::isspace(c) != 0;
    case 'u':
      return std::isupper(c) != 0;
    case 'w':
      return std::isalnum(c) != 0;
    case 'x':
      return std::isxdigit(c) != 0;
    default:
      return false;
  }
}

// The set for %letter: a class, its complement, or the character itself.
Set MakeClass(char letter) {
  Set set;
  const char lower = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  if (std::string_view("acdglpsuwx").find(lower) == std::string_view::npos)
    return set.set(Index(letter));
  for (int c = 0; c < 256; ++c) set[static_cast<std::size_t>(c)] = HasClass(c, lower);
  return lower == letter ? set : ~set;
}

const Set& ClassOf(char letter) {
  static const auto kClasses = [] {
    std::array<Set, 256> classes;
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = MakeClass(static_cast<char>(i));
    return classes;
  }();
  return kClasses[Index(letter)];
}

}  // namespace

LuaPattern::LuaPattern(lua_State* lua, std::string_view pattern, bool anchors) : lua_(lua) {
  anchored_ = anchors && pattern.starts_with('^');
  if (anchored_) pattern.remove_prefix(1);
  Compile(pattern);
}

void LuaPattern::Fail(const char* why) const {
  luaL_error(lua_, "malformed pattern (%s)", why);
  std::abort();  // never reached: luaL_error does not return
}

char LuaPattern::Take(const char* missing) {
  if (rest_.empty()) Fail(missing);
  const char c = rest_.front();
  rest_.remove_prefix(1);
  return c;
}

void LuaPattern::Compile(std::string_view pattern) {
  rest_ = pattern;
  while (!rest_.empty()) {
    if (items_.size() == kMaxItems) Fail("too long");
    if (rest_ == "$") {
      items_.push_back({.kind = Kind::kEnd});
      rest_ = {};
    } else if (Next('(')) {
      CompileOpen();
    } else if (Next(')')) {
      CompileClose();
    } else if (Next('%')) {
      CompileEscape();
    } else {
      CompileSingle();
    }
  }
  if (!open_.empty()) Fail("unfinished capture");
  ScriptBudget::Of(lua_).Charge(lua_, items_.size());
}

void LuaPattern::CompileOpen() {
  Take("");
  if (captures_ == kMaxCaptures) Fail("too many captures");
  if (Next(')')) {
    Take("");
    items_.push_back({.kind = Kind::kPosition, .capture = captures_});
  } else {
    items_.push_back({.kind = Kind::kOpen, .capture = captures_});
    open_.push_back(captures_);
  }
  ++captures_;
}

void LuaPattern::CompileClose() {
  Take("");
  if (open_.empty()) Fail("invalid pattern capture");
  items_.push_back({.kind = Kind::kClose, .capture = open_.back()});
  referable_.set(open_.back());
  open_.pop_back();
}

void LuaPattern::CompileEscape() {
  const char next = rest_.size() > 1 ? rest_[1] : '\0';
  if (next == 'b') {
    rest_.remove_prefix(2);
    Item item{.kind = Kind::kBalanced};
    item.left = Take("missing arguments to '%b'");
    item.right = Take("missing arguments to '%b'");
    items_.push_back(item);
  } else if (next == 'f') {
    rest_.remove_prefix(2);
    if (!Next('[')) Fail("missing '[' after '%f'");
    items_.push_back({.kind = Kind::kFrontier, .set = TakeSet()});
  } else if (next >= '0' && next <= '9') {
    rest_.remove_prefix(2);
    const auto capture = static_cast<std::uint8_t>(next - '1');
    if (!referable_[capture]) Fail("invalid capture index");
    items_.push_back({.kind = Kind::kSame, .capture = capture});
  } else {
    CompileSingle();
  }
}

void LuaPattern::CompileSingle() {
  Item item{.set = TakeSet()};
  const char quantifier = rest_.empty() ? '\0' : rest_.front();
  switch (quantifier) {
    case '?':
      item.kind = Kind::kMaybe;
      break;
    case '*':
    case '+':
      item.kind = Kind::kMany;
      item.at_least_one = quantifier == '+';
      break;
    case '-':
      item.kind = Kind::kFew;
      break;
    default:
      items_.push_back(item);
      return;
  }
  rest_.remove_prefix(1);
  items_.push_back(item);
}

Set LuaPattern::TakeSet() {
  const char c = Take("");
  if (c == '.') return Set().set();
  if (c == '%') return ClassOf(Take("ends with '%'"));
  if (c == '[') return TakeBrackets();
  return Set().set(Index(c));
}

Set LuaPattern::TakeBrackets() {
  constexpr const char* kMissing = "missing ']'";
  const bool complement = Next('^');
  if (complement) Take("");
  Set set;
  for (bool first = true; first || !Next(']'); first = false) {
    const char c = Take(kMissing);
    if (c == '%') {
      set |= ClassOf(Take(kMissing));
    } else if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']' && rest_[1] != '%') {
      for (std::size_t i = Index(c); i <= Index(rest_[1]); ++i) set.set(i);
      rest_.remove_prefix(2);
    } else {
      set.set(Index(c));
    }
  }
  Take(kMissing);
  return complement ? ~set : set;
}

LuaMatcher::LuaMatcher(lua_State* lua, const LuaPattern& pattern, std::string_view text)
    : lua_(lua), pattern_(pattern), text_(text), captures_(pattern.captures()) {}

void LuaMatcher::Spend(std::size_t steps) {
  unpaid_ += steps;
  if (unpaid_ >= kSpendAtOnce) ScriptBudget::Of(lua_).Charge(lua_, std::exchange(unpaid_, 0));
}

// Patterns have no alternatives, so each match passes all items, and each attempt overwrites the
// captures of a failed one.
std::optional<std::size_t> LuaMatcher::Match(std::size_t begin) {
  choices_.clear();
  at_ = begin;
  for (std::size_t item = 0; item < pattern_.items().size();) {
    Spend(1);
    if (Step(item)) {
      ++item;
    } else if (!Retry(item)) {
      return std::nullopt;
    }
  }
  return at_;
}

std::optional<LuaMatcher::Found> LuaMatcher::Find(std::size_t from) {
  for (std::size_t begin = from; begin <= text_.size(); ++begin) {
    Spend(1);
    if (const auto end = Match(begin)) return Found{begin, *end};
    if (pattern_.anchored()) break;
  }
  return std::nullopt;
}

bool LuaMatcher::Step(std::size_t index) {
  const Item& item = pattern_.items()[index];
  switch (item.kind) {
    case Kind::kOnce:
      return In(item, at_) && ++at_ != 0;
    case Kind::kMaybe:
      if (In(item, at_)) choices_.push_back({index, at_++, 0});
      return true;
    case Kind::kMany:
      return StepMany(item, index);
    case Kind::kFew:
      choices_.push_back({index, at_, 0});
      return true;
    case Kind::kOpen:
      captures_[item.capture].begin = at_;
      return true;
    case Kind::kPosition:
      captures_[item.capture] = {at_, at_, true};
      return true;
    case Kind::kClose:
      captures_[item.capture].end = at_;
      return true;
    case Kind::kSame:
      return StepSame(item);
    case Kind::kBalanced:
      return StepBalanced(item);
    case Kind::kFrontier: {
      const auto has = [&item](char c) { return item.set[Index(c)]; };
      const char before = at_ == 0 ? '\0' : text_[at_ - 1];
      const char here = at_ == text_.size() ? '\0' : text_[at_];
      return !has(before) && has(here);
    }
    case Kind::kEnd:
      return at_ == text_.size();
  }
  return false;
}

bool LuaMatcher::StepMany(const Item& item, std::size_t index) {
  std::size_t end = at_;
  while (In(item, end)) ++end;
  Spend((end - at_) / kBytesForAStep);
  const std::size_t lowest = at_ + (item.at_least_one ? 1 : 0);
  if (end < lowest) return false;
  if (end > lowest) choices_.push_back({index, end - 1, lowest});
  at_ = end;
  return true;
}

bool LuaMatcher::StepBalanced(const Item& item) {
  if (at_ == text_.size() || text_[at_] != item.left) return false;
  std::size_t open = 1;
  std::size_t end = at_ + 1;
  while (end < text_.size() && open != 0) {
    const char c = text_[end++];
    if (c == item.right) {
      --open;
    } else if (c == item.left) {
      ++open;
    }
  }
  Spend((end - at_) / kBytesForAStep);
  if (open != 0) return false;
  at_ = end;
  return true;
}

bool LuaMatcher::StepSame(const Item& item) {
  const auto& [begin, end, position] = captures_[item.capture];
  const auto same = text_.substr(begin, end - begin);
  Spend(same.size() / kBytesForAStep);
  if (!text_.substr(at_).starts_with(same)) return false;
  at_ += same.size();
  return true;
}

// Backtracks to the last item that can match in another way.
bool LuaMatcher::Retry(std::size_t& item) {
  while (!choices_.empty()) {
    Choice& choice = choices_.back();
    const Item& chosen = pattern_.items()[choice.item];
    item = choice.item + 1;
    if (chosen.kind == Kind::kFew) {
      if (In(chosen, choice.at)) {
        at_ = ++choice.at;
        return true;
      }
      choices_.pop_back();
      continue;
    }
    at_ = choice.at;
    if (chosen.kind == Kind::kMaybe || choice.at == choice.lowest) {
      choices_.pop_back();
    } else {
      --choice.at;
    }
    return true;
  }
  return false;
}

void LuaMatcher::PushCapture(std::size_t index, const Found& whole) const {
  if (index == 0 && captures_.empty()) {
    lua_pushlstring(lua_, text_.data() + whole.begin, whole.end - whole.begin);
    return;
  }
  if (index >= captures_.size())
    luaL_error(lua_, "invalid capture index %%%d", static_cast<int>(index) + 1);
  const auto& [begin, end, position] = captures_[index];
  if (position) {
    lua_pushinteger(lua_, static_cast<lua_Integer>(begin) + 1);
  } else {
    lua_pushlstring(lua_, text_.data() + begin, end - begin);
  }
}

int LuaMatcher::PushCaptures(const Found& whole) const {
  const auto count = std::max<std::size_t>(captures_.size(), 1);
  luaL_checkstack(lua_, static_cast<int>(count), "too many captures");
  for (std::size_t i = 0; i < count; ++i) PushCapture(i, whole);
  return static_cast<int>(count);
}

}  // namespace tower
