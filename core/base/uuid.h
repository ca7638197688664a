// UUIDs (RFC 9562, section 4) and the generation of version 7 (section 5.7).
#ifndef CORE_BASE_UUID_H_
#define CORE_BASE_UUID_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

// A value of 16 bytes in the order of the text form. A default-constructed Uuid is the nil UUID.
class Uuid {
 public:
  static constexpr std::size_t kTextSize = 36;

  constexpr Uuid() = default;
  explicit constexpr Uuid(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  // Parses the canonical text form 8-4-4-4-12 with hexadecimal digits in either case; returns
  // nullopt for anything else.
  static std::optional<Uuid> Parse(std::string_view text) noexcept;

  // The canonical text form, lower case.
  std::string ToString() const;
  // Writes the canonical text form, kTextSize bytes without a terminating zero, to `out`.
  void Write(char* out) const noexcept;

  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  friend auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// A new version 7 UUID: milliseconds since 1970, then a counter in rand_a and the top of rand_b
// (RFC 9562, section 6.2, method 1 with a random start), then random bits. Strictly greater than
// every UUID that this process generated before, also after the system clock steps back.
// Thread-safe; holds a lock for a few instructions only.
Uuid NewUuidV7();

namespace internal {

// The generator behind NewUuidV7, with the clock as a parameter; for tests. Not thread-safe.
class UuidV7Sequence {
 public:
  Uuid Next(std::uint64_t unix_ms) noexcept;

 private:
  std::uint64_t last_ms_ = 0;
  std::uint64_t counter_ = 0;
};

}  // namespace internal

}  // namespace tower

template <>
struct std::hash<tower::Uuid> {
  std::size_t operator()(const tower::Uuid& uuid) const noexcept;
};

#endif  // CORE_BASE_UUID_H_
