// A file system that is really full. Needs root, to mount a small one.
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/queue/queue.h"
#include "test/support/eventually.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

// A tmpfs for one test.
class SmallDisk {
 public:
  explicit SmallDisk(const char* options)
      : mounted_(mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options) == 0) {}
  ~SmallDisk() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const TempDir& folder() const { return folder_; }

 private:
  const TempDir folder_;
  const bool mounted_;
};

Trigger Padded(int n) {
  return *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"n":)" + std::to_string(n) +
                         R"(,"pad":")" + std::string(3000, 'x') + R"("}})");
}

}  // namespace

TEST_CASE("a disk that is full for real loses nothing, and is used again once there is room",
          "[queue][faults]") {
  const SmallDisk disk("size=3m,mode=0700");
  if (!disk.mounted()) SKIP("no file system can be mounted here: " << std::strerror(errno));
  const CapturedLogs quiet;
  const QueueOptions options{.path = disk.folder() / "queue.db"};
  disk.folder().Write("ballast", std::string(1 << 20, 'x'));
  Metrics metrics;
  auto queue = TriggerQueue::Open(options, {}, metrics).value();
  const auto put = [&](int n, std::chrono::milliseconds patience) {
    const auto trigger = Padded(n);
    return queue->Put(std::span(&trigger, 1),
                      {.source = "t", .deadline = std::chrono::steady_clock::now() + patience});
  };
  int stored = 0;
  Result<Receipt> receipt;
  while ((receipt = put(stored, 0ms))) ++stored;
  CHECK(receipt.error().code == ErrorCode::kFull);
  REQUIRE(stored > 50);

  std::vector<Outcome> outcomes;
  for (std::int64_t expected = 1; expected <= stored;) {
    const auto taken = queue->TryTake(100);
    REQUIRE(taken);
    REQUIRE_FALSE(taken->empty());
    for (const auto& each : *taken) {
      REQUIRE(each.seq == expected++);
      outcomes.push_back({.seq = each.seq});
    }
  }
  queue->Settle(outcomes);
  CHECK(queue->Stats().depth == 0);

  // Opened while full, it has all that was acknowledged.
  queue.reset();
  queue = TriggerQueue::Open(options, {}, metrics).value();
  CHECK(queue->Stats().depth <= stored);
  {
    std::jthread waiting([&] { receipt = put(stored, 60s); });
    std::filesystem::remove(disk.folder() / "ballast");
  }
  REQUIRE(receipt);
  CHECK(queue->Find(receipt->uuids[0]));
  CHECK(queue->Stats().health);
  queue.reset();
  queue = TriggerQueue::Open(options, {}, metrics).value();
  CHECK(queue->Find(receipt->uuids[0]));
}

TEST_CASE("a disk that is full of history takes triggers for ever", "[queue][faults]") {
  const SmallDisk disk("size=16m,mode=0700");
  if (!disk.mounted()) SKIP("no file system can be mounted here: " << std::strerror(errno));
  const CapturedLogs logs;
  const bool limited = GENERATE(true, false);
  QueueOptions options{.path = disk.folder() / "queue.db"};
  if (!limited) options.max_bytes = 1 << 30;  // the disk is what ends it
  Metrics metrics;
  auto queue = TriggerQueue::Open(options, {}, metrics).value();
  const std::vector<Trigger> batch(50, Padded(1));
  Uuid first;
  for (int n = 0; n < 400; ++n) {  // four times the disk
    CAPTURE(n, limited);
    const auto receipt =
        queue->Put(batch, {.source = "t", .deadline = std::chrono::steady_clock::now()});
    if (!receipt) FAIL(receipt.error().message);
    if (n == 0) first = receipt->uuids[0];
    std::vector<Outcome> outcomes;
    const auto taken = queue->TryTake(100);
    REQUIRE(taken);
    REQUIRE(taken->size() == batch.size());
    for (const auto& each : *taken) outcomes.push_back({.seq = each.seq});
    queue->Settle(outcomes);
    if (n % 100 == 99) {
      queue.reset();
      queue = TriggerQueue::Open(options, {}, metrics).value();
    }
  }
  CHECK_FALSE(queue->Find(first));
  CHECK(queue->Stats().health);
  if (!limited) CHECK_THAT(logs.text(), ContainsSubstring("disk is full: history is deleted"));

  // Full of what waits for the broker it refuses, and lets settle.
  int stored = 0;
  const auto put = [&] {
    return queue->Put(batch, {.source = "t", .deadline = std::chrono::steady_clock::now() + 100ms})
        .has_value();
  };
  while (put()) ++stored;
  CHECK(stored > 20);
  for (int left = stored * 50; left > 0;) {
    const auto taken = queue->TryTake(500);
    REQUIRE(taken);
    std::vector<Outcome> outcomes;
    for (const auto& each : *taken) outcomes.push_back({.seq = each.seq});
    left -= static_cast<int>(outcomes.size());
    queue->Settle(outcomes);
  }
  CHECK(Eventually(put));
}

}  // namespace tower
