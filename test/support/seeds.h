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

// 1 to `count`; a tenth of them under a sanitizer, which is that much slower.
inline std::vector<std::uint64_t> Seeds(std::size_t count) {
  if (const char* one = std::getenv("TEST_SEED"); one != nullptr) return {std::stoull(one)};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  count = (count + 9) / 10;
#endif
  std::vector<std::uint64_t> seeds(count);
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
