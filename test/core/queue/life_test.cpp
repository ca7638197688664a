// All that a queue does with its file, while one operation of the disk fails.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "core/queue/queue.h"
#include "test/support/eventually.h"
#include "test/support/fault_vfs.h"
#include "test/support/handoff.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Failure = FaultDisk::Fault;
using File = FaultDisk::File;
using Op = FaultDisk::Op;

constexpr auto kKey = "A.v1.P";

// Calls `work` until it passes: one fault may meet it, and a queue that just failed may need a
// moment to reopen its file.
template <typename Work>
auto Insist(Work work) {
  auto result = work();
  const bool passed = result || Eventually([&] {
                        result = work();
                        return bool(result);
                      });
  if (!passed) FAIL(result.error().message);
  return result;
}

class Life {
 public:
  explicit Life(const FaultDisk::Plan& plan) {
    disk_.CheckpointEvery(8);
    Open();
    disk_.Fail(plan);
    for (int n = 0; n < 8; ++n) {
      Put(n);
      Settle(n);
    }
    Change([this](const Uuid& uuid, ChangeDone done) {
      queue_->Discard(uuid, "me", std::move(done));
    });
    again_ = listed_.front();
    Change([this](const Uuid& uuid, ChangeDone done) { queue_->Redeliver(uuid, std::move(done)); });
    DiscardAll();
    // History is trimmed, and with it what was published first.
    Eventually([this] {
      const auto found = queue_->Find(first_);
      return !found && found.error().code == ErrorCode::kNotFound;
    });
    for (int n = 8; n < 10; ++n) Put(n);
  }

  // Closes the file, and opens it as the next process would.
  void Restart() {
    queue_.reset();
    met_ = !disk_.planned();
    disk_.Heal();
    Open();
  }
  // Whether there was such an operation.
  bool met() const { return met_; }

  // What has to be delivered is, and nothing that was never put.
  void Check() {
    std::set<std::string> found;
    for (;;) {
      const auto taken = queue_->TryTake(100);
      REQUIRE(taken);
      if (taken->empty()) break;
      for (const auto& trigger : *taken) found.insert(trigger.uuid.ToString());
    }
    const auto deferred = queue_->TakeDeferred(kKey, 0, 100, 0);
    REQUIRE(deferred);
    for (const auto& trigger : *deferred) found.insert(trigger.uuid.ToString());
    open_.insert(again_.ToString());
    CHECK(std::includes(found.begin(), found.end(), open_.begin(), open_.end()));
    CHECK(std::includes(put_.begin(), put_.end(), found.begin(), found.end()));
    CHECK(queue_->Stats().health);
  }

 private:
  void Open() {
    auto opened = TriggerQueue::Open(options_, {}, metrics_);
    if (!opened) FAIL(opened.error().message);
    queue_ = std::move(*opened);
  }
  void Put(int n) {
    const auto name = std::to_string(n);
    const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"n":)" +
                                         name + R"(,"pad":")" + std::string(3000, 'x') + "\"}}");
    const CheckpointChange change{"at", name};
    const auto put = Insist([&] {
      return queue_->Put(std::span(&trigger, 1), {.source = "t",
                                                  .key = name,
                                                  .checkpoints = std::span(&change, 1),
                                                  .deadline = std::chrono::steady_clock::now()});
    });
    const auto uuid = put->uuids.front();
    if (n == 0) first_ = uuid;
    put_.insert(uuid.ToString());
    open_.insert(uuid.ToString());
  }
  // 0, 3 and 6 are published, 1, 4 and 7 undeliverable, 2 and 5 refused for their routing key.
  void Settle(int n) {
    const auto taken = Insist([this] { return queue_->TryTake(100); });
    for (const auto& trigger : *taken) {
      Outcome outcome{.seq = trigger.seq};
      if (n % 3 == 1) {
        outcome = {trigger.seq, Fate::kUndeliverable, "unroutable"};
        listed_.push_back(trigger.uuid);
      } else if (n % 3 == 2) {
        outcome = {trigger.seq, Fate::kDeferred, kKey};
      }
      if (n % 3 != 2) open_.erase(trigger.uuid.ToString());
      queue_->Settle(std::span(&outcome, 1));
    }
  }
  // Of the first one that is listed; only what is on disk can be changed.
  template <typename Ask>
  void Change(Ask ask) {
    const auto uuid = listed_.front();
    (void)Insist([&]() -> Result<std::int64_t> {
      Told<Result<std::int64_t>> told;
      ask(uuid, told.Teller());
      return told.Get();
    });
    if (again_ == uuid) return;
    listed_.pop_front();
  }
  void DiscardAll() {
    (void)Insist([this]() -> Status {
      Told<BulkOutcome> told;
      queue_->DiscardAll({.state = TriggerState::kUndeliverable}, {}, "me",
                         [tell = told.Teller()](const BulkOutcome& outcome) { tell(outcome); });
      return told.Get().status;
    });
  }

  CapturedLogs logs_;
  TempDir folder_;
  FaultDisk disk_{folder_.path()};
  Metrics metrics_;
  const QueueOptions options_{.path = folder_ / "queue.db", .max_history = 1};
  std::unique_ptr<TriggerQueue> queue_;
  Uuid first_, again_;
  std::deque<Uuid> listed_;
  std::set<std::string> put_, open_;
  bool met_ = false;
};

// FAULT_STRIDE=1 tries every operation; by default one in a few.
std::uint64_t Stride() {
  const char* given = std::getenv("FAULT_STRIDE");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 9;
}

}  // namespace

TEST_CASE(
    "whatever the queue does when an operation fails, nothing is lost and the file opens again",
    "[queue][faults]") {
  const FaultDisk::Plan plans[] = {
      {Op::kWrite, File::kWal, Failure::kIoError},   {Op::kWrite, File::kWal, Failure::kFull},
      {Op::kWrite, File::kMain, Failure::kIoError},  {Op::kWrite, File::kMain, Failure::kFull},
      {Op::kSync, File::kWal, Failure::kIoError},    {Op::kSync, File::kMain, Failure::kIoError},
      {Op::kTruncate, File::kAny, Failure::kIoError}};
  std::uint64_t offset = 0;
  for (auto plan : plans) {
    CAPTURE(plan.op, plan.file, plan.fault);
    for (plan.skip = offset++ % Stride();; plan.skip += Stride()) {
      CAPTURE(plan.skip);
      Life life(plan);
      life.Restart();
      if (!life.met()) break;
      life.Check();
    }
  }
}

}  // namespace tower
