#include "core/http_chunks.h"

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

bool HttpChunks::AcceptSize(char c) noexcept {
  if (c == '\r' || c == ';') {
    state_ = c == ';' ? State::kExtension : State::kSizeFeed;
    return digits_ > 0;
  }
  std::uint64_t digit = 0;
  if (c >= '0' && c <= '9') {
    digit = static_cast<std::uint64_t>(c - '0');
  } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
    digit = static_cast<std::uint64_t>((c | 32) - 'a') + 10;
  } else {
    return false;
  }
  size_ = size_ * 16 + digit;
  return ++digits_ <= kMaxDigits;
}

// Text without meaning here, up to a carriage return.
bool HttpChunks::AcceptText(char c, State at_return) noexcept {
  if (c == '\r') {
    state_ = at_return;
    return true;
  }
  const auto byte = static_cast<unsigned char>(c);
  return ++ignored_ <= kMaxIgnored && ((byte >= 0x20 && byte != 0x7F) || byte == '\t');
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
    case State::kExtension:
      return AcceptText(c, State::kSizeFeed);
    case State::kSizeFeed:
      digits_ = 0;
      return Expect(c, '\n', size_ == 0 ? State::kTrailerStart : State::kData);
    case State::kDataReturn:
      return Expect(c, '\r', State::kDataFeed);
    case State::kDataFeed:
      return Expect(c, '\n', State::kSize);
    case State::kTrailerStart:
      state_ = State::kTrailer;
      return AcceptText(c, State::kLastFeed);
    case State::kTrailer:
      return AcceptText(c, State::kTrailerFeed);
    case State::kTrailerFeed:
      return Expect(c, '\n', State::kTrailerStart);
    case State::kLastFeed:
      return Expect(c, '\n', State::kDone);
    default:
      return false;
  }
}

}  // namespace tower
