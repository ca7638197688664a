// Seeds of tests that leave things to chance. Put the seed into every failure: `CAPTURE(seed)`.
//
//   TEST_SEED=17 unit-tests 'a test'    runs that seed alone
#ifndef TEST_SUPPORT_SEEDS_H_
#define TEST_SUPPORT_SEEDS_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace tower {

// Under a sanitizer everything is so much slower, and tests that go through many cases take so many
// fewer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::size_t kSlowness = 10;
#else
inline constexpr std::size_t kSlowness = 1;
#endif

// 1 to `count`, fewer under a sanitizer.
inline std::vector<std::uint64_t> Seeds(std::size_t count) {
  if (const char* one = std::getenv("TEST_SEED"); one != nullptr) return {std::stoull(one)};
  std::vector<std::uint64_t> seeds((count + kSlowness - 1) / kSlowness);
  std::iota(seeds.begin(), seeds.end(), 1U);
  return seeds;
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  // From `least` to `most`, both included.
  int Pick(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }
  bool Percent(int percent) { return Pick(1, 100) <= percent; }
  std::uint64_t Seed() { return random_(); }

 private:
  std::mt19937_64 random_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_SEEDS_H_
