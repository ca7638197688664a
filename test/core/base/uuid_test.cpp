#include "core/base/uuid.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

namespace tower {
namespace {

constexpr std::string_view kSample = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";  // RFC 9562, A.6

TEST_CASE("a uuid is read in either case and written in lower case", "[uuid]") {
  const auto uuid = Uuid::Parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  REQUIRE(uuid);
  CHECK(uuid->ToString() == kSample);
  CHECK(uuid->bytes()[0] == 0x01);
  CHECK(uuid->bytes()[15] == 0x8f);
  CHECK(Uuid().ToString() == "00000000-0000-0000-0000-000000000000");
}

TEST_CASE("only the canonical form is a uuid", "[uuid]") {
  for (const auto* text :
       {"", "017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
        "017f22e27-9b0-7cc3-98c4-dc0c0c07398f"}) {
    CAPTURE(text);
    CHECK_FALSE(Uuid::Parse(text));
  }
}

TEST_CASE("a new uuid has version 7, the RFC's variant and the time of now", "[uuid]") {
  using std::chrono::system_clock;
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               system_clock::now().time_since_epoch())
        .count();
  };
  const auto before = now();
  const auto uuid = NewUuidV7();
  const auto after = now();
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = (ms << 8) | uuid.bytes()[i];
  CHECK(ms >= before);
  CHECK(ms <= after);
  CHECK(uuid.bytes()[6] >> 4 == 7);
  CHECK(uuid.bytes()[8] >> 6 == 2);
}

TEST_CASE("each uuid is greater than the one before, also across threads", "[uuid]") {
  constexpr int kEach = 50'000;
  std::vector<std::vector<Uuid>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : made) {
      threads.emplace_back([&mine] {
        for (int i = 0; i < kEach; ++i) mine.push_back(NewUuidV7());
      });
    }
  }
  std::set<Uuid> all;
  for (const auto& mine : made) {
    CHECK(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  CHECK(all.size() == 4 * kEach);
}

TEST_CASE("uuids keep growing when the clock stands or steps back", "[uuid]") {
  internal::UuidV7Sequence sequence;
  auto last = sequence.Next(1'000'000);
  for (const std::uint64_t ms : {1'000'000, 1'000'000, 999'000, 0, 1'000'001, 1'000'000}) {
    const auto next = sequence.Next(ms);
    CHECK(next > last);
    last = next;
  }
}

TEST_CASE("uuids of one millisecond differ in more than a counter", "[uuid]") {
  internal::UuidV7Sequence one;
  internal::UuidV7Sequence other;
  CHECK(one.Next(5) != other.Next(5));
}

TEST_CASE("equal uuids have equal hashes", "[uuid]") {
  const auto uuid = NewUuidV7();
  const std::hash<Uuid> hash;
  CHECK(hash(uuid) == hash(*Uuid::Parse(uuid.ToString())));
  CHECK(hash(uuid) != hash(NewUuidV7()));
}

}  // namespace
}  // namespace tower
