// Files as they should not be at a start: a clear error that leaves them as they are, or all up to
// a commit, but never an empty queue in their place.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/queue/queue.h"
#include "test/support/fault_vfs.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

constexpr int kCount = 60;

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Fixture {
  explicit Fixture(std::uint64_t seed = 1) : disk(folder.path(), seed) {}

  CapturedLogs logs;
  TempDir folder;
  FaultDisk disk;
  Metrics metrics;
  const std::string path = folder / "queue.db";

  Result<std::unique_ptr<TriggerQueue>> Open() {
    return TriggerQueue::Open({.path = path}, {}, metrics);
  }
  void Refused(const std::string& why) {
    const auto opened = Open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::kPermanent);
    CHECK_THAT(opened.error().message, ContainsSubstring(path) && ContainsSubstring(why) &&
                                           ContainsSubstring("nothing was changed"));
  }
  // Writes kCount triggers, one commit each, and keeps copies of the two files: of a queue that was
  // closed, or of one that died.
  void Fill() {
    auto queue = *Open();
    for (int n = 0; n < kCount; ++n) {
      const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"n":)" +
                                           std::to_string(n) + "}}");
      REQUIRE(queue->Put(std::span(&trigger, 1), {.source = "t"}));
    }
    unfolded = Content(path);
    log = Content(path + "-wal");
    queue.reset();
    folded = Content(path);
    REQUIRE_FALSE(fs::exists(path + "-wal"));
  }
  void Lay(const std::string& main, const std::string& wal) const {
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
    folder.Write("queue.db", main);
    if (!wal.empty()) folder.Write("queue.db-wal", wal);
  }
  // How many triggers the queue has, which must be 0 to n-1; kRefused when it was not opened, or
  // could not be read to the end, with an error that names the file and leaves it as it is.
  static constexpr int kRefused = -1;
  int Readable(const std::string& main) {
    auto opened = Open();
    if (!opened) {
      REQUIRE_THAT(opened.error().message, ContainsSubstring(path));
      REQUIRE(opened.error().code == ErrorCode::kPermanent);
      REQUIRE(Content(path) == main);
      return kRefused;
    }
    int count = 0;
    while (true) {
      auto taken = (*opened)->TryTake(1000);
      if (!taken) {
        REQUIRE_THAT(taken.error().message, ContainsSubstring(path));
        return kRefused;
      }
      if (taken->empty()) break;
      for (const auto& each : *taken) REQUIRE(each.seq == ++count);
    }
    REQUIRE((*opened)->Stats().depth == count);
    return count;
  }

  std::string folded, unfolded, log;
};

}  // namespace

TEST_CASE("an empty file is not taken for a new queue", "[queue][damage]") {
  Fixture f;
  std::string wal;
  SECTION("alone") {}
  SECTION("with a log that has all the triggers") {
    f.Fill();
    wal = f.log;
  }
  f.Lay("", wal);
  f.Refused("it is empty");
  CHECK(fs::file_size(f.path) == 0);
  if (!wal.empty()) CHECK(Content(f.path + "-wal") == wal);
}

TEST_CASE("a log whose file is missing is not thrown away", "[queue][damage]") {
  Fixture f;
  f.Fill();
  f.Lay("", f.log);
  fs::remove(f.path);
  f.Refused("its -wal is there and may hold triggers");
  CHECK(Content(f.path + "-wal") == f.log);
  CHECK_FALSE(fs::exists(f.path));
  f.Lay(f.unfolded, f.log);
  CHECK(f.Readable(f.unfolded) == kCount);
}

TEST_CASE("a symbolic link that leads nowhere is named", "[queue][damage]") {
  Fixture f;
  fs::create_symlink(f.folder / "elsewhere/queue.db", f.path);
  f.Refused("symbolic link to a file that is not there");
  CHECK(fs::is_symlink(f.path));
}

TEST_CASE("a queue that is being made when the power goes is made at the next start",
          "[queue][damage][power]") {
  std::uint64_t operations = 0;
  for (bool opened = false; !opened; ++operations) {
    CAPTURE(operations);
    Fixture f(operations);
    f.disk.CutPowerAfter(operations);
    opened = f.Open().has_value() && f.disk.powered();
    f.disk.RestorePower(FaultDisk::Loss::kSome);
    CHECK(f.Readable("") == 0);
    CHECK_FALSE(fs::exists(f.path + ".new"));
  }
  CHECK(operations > 10);
}

TEST_CASE("a database of another program and one of a later version are told apart",
          "[queue][damage]") {
  Fixture f;
  f.Fill();
  auto other = f.folded;
  SECTION("another program") {
    other.replace(68, 4, "Abcd");
    f.Lay(other, "");
    f.Refused("another program");
  }
  SECTION("no program's") {
    other.replace(68, 4, 4, '\0');
    f.Lay(other, "");
    f.Refused("another program");
  }
  SECTION("a later version") {
    other[63] = '\x63';
    f.Lay(other, "");
    f.Refused("format version 99");
  }
  CHECK(Content(f.path) == other);
}

TEST_CASE("a flipped bit in the header of the file hides no trigger", "[queue][damage]") {
  Fixture f;
  f.Fill();
  int refused = 0;
  for (std::size_t bit = 0; bit < 800; bit += kSlowness) {
    CAPTURE(bit / 8, bit % 8);
    auto damaged = f.folded;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    f.Lay(damaged, "");
    const int count = f.Readable(damaged);
    CHECK((count == kCount || count == Fixture::kRefused));
    refused += count == kCount ? 0 : 1;
  }
  CHECK(refused > 200 / static_cast<int>(kSlowness));
}

TEST_CASE("damage within the file hides no trigger", "[queue][damage]") {
  Fixture f;
  f.Fill();
  int refused = 0;
  for (const auto seed : Seeds(300)) {
    CAPTURE(seed);
    Chance chance(seed);
    auto damaged = f.folded;
    const auto size = static_cast<int>(damaged.size());
    if (chance.Percent(20)) damaged.resize(static_cast<std::size_t>(chance.Pick(1, size - 1)));
    for (int flips = chance.Pick(0, 3); flips > 0; --flips) {
      const auto at =
          static_cast<std::size_t>(chance.Pick(0, static_cast<int>(damaged.size()) - 1));
      damaged[at] = static_cast<char>(chance.Pick(-128, 127));
    }
    if (chance.Percent(30)) {  // a page of zeros, as after an unlucky repair of the file system
      const auto at = static_cast<std::size_t>(chance.Pick(0, size / 4096 - 1)) * 4096;
      if (at < damaged.size()) damaged.replace(at, 4096, 4096, '\0');
    }
    f.Lay(damaged, "");
    const int count = f.Readable(damaged);
    CHECK((count == kCount || count == Fixture::kRefused));
    refused += count == kCount ? 0 : 1;
  }
  CHECK(refused > 5);
}

TEST_CASE("of a log that is cut short or damaged, all is kept up to a commit", "[queue][damage]") {
  Fixture f;
  f.Fill();
  int last = 0;
  int between = 0;
  for (std::size_t length = 0; length < f.log.size(); length += 1013 * kSlowness) {
    CAPTURE(length);
    f.Lay(f.unfolded, f.log.substr(0, length));
    const int count = f.Readable(f.unfolded);
    CHECK((count >= last && count <= kCount));
    between += count > 0 && count < kCount ? 1 : 0;
    last = count;
  }
  CHECK(between > 100 / static_cast<int>(kSlowness));
  f.Lay(f.unfolded, f.log + std::string(3000, 'x'));
  CHECK(f.Readable(f.unfolded) == kCount);
  for (const auto seed : Seeds(100)) {
    CAPTURE(seed);
    Chance chance(seed);
    auto damaged = f.log;
    const auto at = static_cast<std::size_t>(chance.Pick(0, static_cast<int>(damaged.size()) - 1));
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    f.Lay(f.unfolded, damaged);
    const int count = f.Readable(f.unfolded);
    f.Lay(f.unfolded, f.log.substr(0, at));
    CHECK(count == f.Readable(f.unfolded));
  }
}

}  // namespace tower
