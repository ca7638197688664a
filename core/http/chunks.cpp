#include "core/http/chunks.h"

#include "core/base/encode.h"
#include "core/http/head.h"

namespace tower {
namespace {

constexpr std::size_t kMaxDigits = 12;
constexpr std::size_t kMaxIgnored = 8192;

}  // namespace

std::uint64_t HttpChunks::Next() const noexcept {
  if (state_ == State::kData) return size_;
  return state_ == State::kDone ? 0 : 1;
}

bool HttpChunks::Expect(char c, char wanted, State next) noexcept {
  state_ = next;
  return c == wanted;
}

bool HttpChunks::Enter(State next) noexcept {
  state_ = next;
  return true;
}

bool HttpChunks::AcceptSize(char c) noexcept {
  std::uint64_t digit = 0;
  if (c >= '0' && c <= '9') {
    digit = static_cast<std::uint64_t>(c - '0');
  } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
    digit = static_cast<std::uint64_t>((c | 32) - 'a') + 10;
  } else {
    return digits_ > 0 && Enter(State::kExtension) && AcceptExtension(c);
  }
  size_ = size_ * 16 + digit;
  return ++digits_ <= kMaxDigits;
}

bool HttpChunks::AcceptExtension(char c) noexcept {
  const bool space = c == ' ' || c == '\t';
  const bool ends =
      state_ == State::kExtension || state_ == State::kName || state_ == State::kValue;
  const bool may_separate = ends || state_ == State::kExtensionSpace || state_ == State::kNameSpace;
  if (ends && c == '\r') return Enter(State::kSizeFeed);
  if (++ignored_ > kMaxIgnored) return false;
  if (may_separate && c == ';') return Enter(State::kNameStart);
  switch (state_) {
    case State::kExtension:
    case State::kExtensionSpace:
      return space && Enter(State::kExtensionSpace);
    case State::kNameStart:
      return space || (IsTokenByte(c) && Enter(State::kName));
    case State::kName:
    case State::kNameSpace:
      if (c == '=') return Enter(State::kValueStart);
      if (space) return Enter(State::kNameSpace);
      return state_ == State::kName && IsTokenByte(c);
    case State::kValueStart:
      if (c == '"') return Enter(State::kQuoted);
      return space || (IsTokenByte(c) && Enter(State::kValue));
    case State::kValue:
      return space ? Enter(State::kExtensionSpace) : IsTokenByte(c);
    case State::kQuoted:
      if (c == '"') return Enter(State::kExtension);
      if (c == '\\') return Enter(State::kEscaped);
      return IsHttpValueByte(c);
    case State::kEscaped:
      return IsHttpValueByte(c) && Enter(State::kQuoted);
    default:
      return false;
  }
}

bool HttpChunks::AcceptTrailer(char c) noexcept {
  if (++ignored_ > kMaxIgnored) return false;
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') return Enter(State::kLastFeed);
      return IsTokenByte(c) && Enter(State::kTrailerName);
    case State::kTrailerName:
      return c == ':' ? Enter(State::kTrailerValue) : IsTokenByte(c);
    default:
      return c == '\r' ? Enter(State::kTrailerFeed) : IsHttpValueByte(c);
  }
}

bool HttpChunks::Accept(std::string_view bytes) noexcept {
  if (state_ == State::kData) {
    size_ -= bytes.size();
    if (size_ == 0) state_ = State::kDataReturn;
    return true;
  }
  const char c = bytes.front();
  switch (state_) {
    case State::kSize:
      return AcceptSize(c);
    case State::kSizeFeed:
      digits_ = 0;
      return Expect(c, '\n', size_ == 0 ? State::kTrailerStart : State::kData);
    case State::kDataReturn:
      return Expect(c, '\r', State::kDataFeed);
    case State::kDataFeed:
      return Expect(c, '\n', State::kSize);
    case State::kTrailerStart:
    case State::kTrailerName:
    case State::kTrailerValue:
      return AcceptTrailer(c);
    case State::kTrailerFeed:
      return Expect(c, '\n', State::kTrailerStart);
    case State::kLastFeed:
      return Expect(c, '\n', State::kDone);
    case State::kDone:
      return false;
    default:
      return AcceptExtension(c);
  }
}

}  // namespace tower
