// UUIDs, and version 7 of them: RFC 9562, sections 4 and 5.7.
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

// A value of 16 bytes, in the order in which they are written. The nil UUID when
// default-constructed.
class Uuid {
 public:
  static constexpr std::size_t kTextSize = 36;

  constexpr Uuid() = default;
  explicit constexpr Uuid(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  // Reads the canonical text form 8-4-4-4-12, hexadecimal digits in either case; anything else is
  // nothing.
  static std::optional<Uuid> Parse(std::string_view text) noexcept;

  // The canonical text form, lower case.
  std::string ToString() const;
  // The same, written to exactly kTextSize bytes at `out`; no terminating zero.
  void Write(char* out) const noexcept;

  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  friend auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// A new version 7 UUID: milliseconds since 1970, then a counter in rand_a and the top of rand_b
// (RFC 9562, section 6.2, method 1 with a random start), the rest random. Strictly greater than
// every one that this process made before, also when the system clock steps back. Thread-safe;
// takes no lock for longer than a few instructions.
Uuid NewUuidV7();

namespace internal {

// What NewUuidV7 is made of, with the clock passed in; for tests. Not thread-safe.
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
