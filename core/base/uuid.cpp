#include "core/base/uuid.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace tower {
namespace {

// The two digits of each byte value.
constexpr auto kHexOfByte = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte)
    table[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
  return table;
}();
// The offset of the digits of each byte in the text form.
constexpr std::array<std::uint8_t, 16> kPlaceOfByte = {0,  2,  4,  6,  9,  11, 14, 16,
                                                       19, 21, 24, 26, 28, 30, 32, 34};

constexpr bool IsDash(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

int HexValue(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Returns 64 bits of the kernel's random generator, which is read 4 KiB at a time.
std::uint64_t Random64() noexcept {
  struct Pool {
    std::array<std::uint64_t, 512> words;
    std::size_t left = 0;
  };
  thread_local Pool pool;
  if (pool.left == 0) {
    auto* out = reinterpret_cast<char*>(pool.words.data());
    std::size_t filled = 0;
    while (filled < sizeof pool.words) {
      const auto got = getrandom(out + filled, sizeof pool.words - filled, 0);
      if (got < 0 && errno != EINTR) std::abort();  // does not happen on kernels since 3.17
      if (got > 0) filled += static_cast<std::size_t>(got);
    }
    pool.left = pool.words.size();
  }
  return pool.words[--pool.left];
}

void PutBigEndian(std::uint64_t value, std::uint8_t* out, int bytes) noexcept {
  for (int i = 0; i < bytes; ++i)
    out[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

std::optional<Uuid> Uuid::Parse(std::string_view text) noexcept {
  if (text.size() != kTextSize) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < kTextSize; ++i) {
    if (IsDash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = HexValue(text[i]);
    if (value < 0) return std::nullopt;
    auto& byte = bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | value);
  }
  return Uuid(bytes);
}

std::string Uuid::ToString() const {
  std::string out(kTextSize, '-');
  Write(out.data());
  return out;
}

void Uuid::Write(char* out) const noexcept {
  for (std::size_t i = 0; i < bytes_.size(); ++i)
    std::memcpy(out + kPlaceOfByte[i], kHexOfByte[bytes_[i]].data(), 2);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) out[dash] = '-';
}

namespace internal {

// The counter has 42 bits: 12 in rand_a and 30 at the top of rand_b. It starts below 2^41, so that
// two trillion UUIDs fit into one millisecond. The remaining 32 bits are random.
Uuid UuidV7Sequence::Next(std::uint64_t unix_ms) noexcept {
  constexpr std::uint64_t kCounterEnd = std::uint64_t{1} << 42;
  const std::uint64_t random = Random64();
  if (unix_ms > last_ms_) {
    last_ms_ = unix_ms;
    counter_ = Random64() & (kCounterEnd / 2 - 1);
  } else if (++counter_ == kCounterEnd) {  // the same millisecond, or the clock stepped back
    ++last_ms_;
    counter_ = 0;
  }
  std::array<std::uint8_t, 16> bytes{};
  PutBigEndian(last_ms_, bytes.data(), 6);
  PutBigEndian(0x7000 | (counter_ >> 30), bytes.data() + 6, 2);
  const std::uint64_t low = counter_ & ((std::uint64_t{1} << 30) - 1);
  PutBigEndian((std::uint64_t{2} << 62) | (low << 32) | (random & 0xffffffff), bytes.data() + 8, 8);
  return Uuid(bytes);
}

}  // namespace internal

Uuid NewUuidV7() {
  static constinit std::mutex mutex;
  static constinit internal::UuidV7Sequence sequence;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::lock_guard lock(mutex);
  return sequence.Next(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)));
}

}  // namespace tower

std::size_t std::hash<tower::Uuid>::operator()(const tower::Uuid& uuid) const noexcept {
  const auto& bytes = uuid.bytes();
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
