// The whole road in one process, as chance has it: sources put, the broker has moods, the disk
// hiccups and is full, the queue is small, history is trimmed, someone redelivers and discards, and
// the process dies or is stopped at any moment. In the end a ledger is drawn up: what was accepted
// against what became of it.
//
// Clocks are real, backoffs short; worlds run side by side, so that they wait together.
#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "core/queue/sqlite.h"
#include "test/support/eventually.h"
#include "test/support/fault_vfs.h"
#include "test/support/random_broker.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;

constexpr int kClients =
    2;  // send one trigger at a time under a key, and again until it is accepted
constexpr int kWatchers = 2;  // put batches, and go on from their checkpoints
constexpr int kSources = kClients + kWatchers;
constexpr int kEvents = 60;  // of each source
constexpr int kLives = 4;
constexpr std::size_t kSideBySide = 24;

std::string NameOf(int source) { return "s" + std::to_string(source); }

std::string IdOf(int source, int n) { return NameOf(source) + "-" + std::to_string(n) + "."; }

class World {
 public:
  explicit World(std::uint64_t seed)
      : chance_(seed), disk_(folder_.path(), chance_.Seed()), broker_(chance_.Seed()) {
    if (chance_.Percent(50)) disk_.CheckpointEvery(chance_.Pick(4, 60));
    if (chance_.Percent(50)) {
      options_.max_bytes = static_cast<std::uint64_t>(chance_.Pick(40, 200)) << 10;
    }
    if (chance_.Percent(50)) {
      options_.max_history = chance_.Percent(30) ? 0 : chance_.Pick(1, 100);
      small_history_ = true;
    }
    operated_ = chance_.Percent(50);
    for (int source = 0; source < kSources; ++source) {
      for (int n = 0; n < kEvents; ++n) events_.push_back(Event(source, n));
    }
  }

  // What went wrong; empty when nothing did.
  std::string Run() {
    for (int life = 0; life < kLives && fault_.empty(); ++life) Live(false);
    if (!fault_.empty()) return fault_;
    Live(true);
    if (fault_.empty()) DrawUp();
    return fault_;
  }

 private:
  Trigger Event(int source, int n) {
    const std::string fate =
        chance_.Percent(4) ? "unroutable" : (chance_.Percent(2) ? "poison" : "");
    return *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"id":")" +
                           IdOf(source, n) + R"(","fate":")" + fate + R"(","pad":")" +
                           std::string(static_cast<std::size_t>(chance_.Pick(0, 600)), 'x') +
                           R"("}})");
  }
  const Trigger& EventOf(int source, int n) const {
    return events_[static_cast<std::size_t>(source * kEvents + n)];
  }

  void Fault(const std::string& what) {
    if (fault_.size() < 500) fault_ += what + "; ";
  }

  bool Open() {
    auto opened = TriggerQueue::Open(options_, {}, metrics_);
    if (!opened) {
      Fault("not opened: " + opened.error().message);
      return false;
    }
    queue_ = std::move(*opened);
    return true;
  }

  // One run of the process; in the last one the disk is healthy, and it ends when all is done.
  void Live(bool last) {
    if (!Open()) return;
    Publisher publisher(*queue_, broker_.Seam(),
                        {.window = chance_.Pick(1, 40),
                         .refused = {.pause_min = 1ms, .pause_max = 4ms, .cooldown = 5ms},
                         .backoff_min = 1ms,
                         .backoff_max = 4ms},
                        {}, metrics_);
    publisher.Start();
    if (!last) {
      if (chance_.Percent(70)) disk_.FailAtRandom(0.001 * chance_.Pick(1, 20));
      if (chance_.Percent(50)) {
        disk_.CutPowerAfter(static_cast<std::uint64_t>(chance_.Pick(0, 1500)));
      }
    }
    const int goal = last ? kSources * kEvents
                          : std::min(kSources * kEvents, accepted_ + chance_.Pick(1, kEvents));
    {
      std::vector<std::jthread> sources;
      for (int source = 0; source < kSources; ++source) {
        sources.emplace_back([this, source](const std::stop_token& stop) {
          source < kClients ? Send(source, stop) : Watch(source, stop);
        });
      }
      if (operated_ && !last) {
        sources.emplace_back(
            [this, seed = chance_.Seed()](const std::stop_token& stop) { Operate(seed, stop); });
      }
      if (!Eventually([&] { return accepted_ >= goal || !disk_.powered(); })) Fault("stuck: put");
      // The broker comes to its senses, and the same process has to make good what was lost so far.
      if (last) broker_.Calm();
      if (last && !Eventually([&] { return queue_->Stats().depth == 0; })) {
        Fault("stuck: published");
      }
      if (!last && chance_.Percent(40)) disk_.CutPower();
      for (auto& each : sources) each.request_stop();
    }
    publisher.Stop(chance_.Percent(50) ? 0ms : std::chrono::milliseconds(chance_.Pick(1, 50)));
    queue_.reset();
    if (!disk_.powered()) {
      constexpr FaultDisk::Loss kLosses[] = {FaultDisk::Loss::kNone, FaultDisk::Loss::kAll,
                                             FaultDisk::Loss::kSome};
      disk_.RestorePower(kLosses[chance_.Pick(0, 2)]);
    }
    disk_.Heal();
  }

  PutOptions Patience(int source) const {
    return {.source = source < kClients ? "http" : std::string_view(names_[source]),
            .deadline = std::chrono::steady_clock::now() + 20ms};
  }

  // Knows what was accepted by the answers it got, and asks again where it got none.
  void Send(int source, const std::stop_token& stop) {
    auto& next = next_[source];
    while (next < kEvents && !stop.stop_requested()) {
      const std::string key = IdOf(source, next);
      auto options = Patience(source);
      options.key = key;
      if (!queue_->Put(std::span(&EventOf(source, next), 1), options, stop)) {
        std::this_thread::yield();
        continue;
      }
      ++next;
      ++accepted_;
    }
  }

  // Redelivers and discards, one change at a time.
  void Operate(std::uint64_t seed, const std::stop_token& stop) {
    Chance chance(seed);
    while (!stop.stop_requested()) {
      const auto done = std::make_shared<std::atomic<bool>>(false);
      const auto changed = [done](const Result<std::int64_t>&) { done->store(true); };
      const auto bulk = [done](const BulkOutcome&) { done->store(true); };
      const auto sent = broker_.sent();
      if (sent.empty()) {
        std::this_thread::yield();
        continue;
      }
      const auto& uuid = sent[static_cast<std::size_t>(chance.Pick(0, 1 << 20)) % sent.size()].uuid;
      const int kind = chance.Pick(0, 9);
      if (kind < 5) {
        queue_->Redeliver(uuid, changed);
      } else if (kind < 7) {
        queue_->Discard(uuid, "operator", changed);
      } else if (kind == 7) {
        queue_->RedeliverAll({.state = TriggerState::kUndeliverable}, {}, bulk);
      } else if (kind == 8) {
        queue_->RedeliverAll({.state = TriggerState::kPublished, .source = names_[kClients]}, {},
                             bulk);
      } else {
        queue_->DiscardAll({.state = TriggerState::kUndeliverable}, {}, "operator", bulk);
      }
      while (!done->load() && !stop.stop_requested()) std::this_thread::yield();
    }
  }

  // Knows what was accepted by its checkpoint.
  void Watch(int source, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto checkpoint = queue_->Checkpoint(names_[source], "next");
      if (!checkpoint) continue;
      int n = std::stoi(checkpoint->value_or("0"));
      accepted_ += n - std::exchange(next_[source], n);
      while (n < kEvents) {
        const int count = std::min(kEvents - n, 1 + n % 4);
        const std::vector<Trigger> batch(&EventOf(source, n), &EventOf(source, n) + count);
        const std::vector<CheckpointChange> next = {{"next", std::to_string(n + count)}};
        auto options = Patience(source);
        options.checkpoints = next;
        if (!queue_->Put(batch, options, stop)) break;
        n += count;
        next_[source] = n;
        accepted_ += count;
      }
      if (n == kEvents) return;
    }
  }

  struct Row {
    std::string uuid, id, fate;
    std::optional<std::string> undeliverable;
  };

  std::vector<Row> Dump() {
    std::vector<Row> rows;
    auto database = Database::Open(folder_ / "queue.db", Database::Access::kReadOnly);
    if (!database) return rows;
    auto all = database->Prepare(
        "SELECT t.uuid, json_extract(t.body, '$.spec.id'), json_extract(t.body, '$.spec.fate'),"
        " coalesce(u.reason, d.reason) FROM triggers t LEFT JOIN undeliverable u ON u.seq = t.seq"
        " LEFT JOIN discarded d ON d.seq = t.seq ORDER BY t.seq");
    if (!all) Fault(all.error().message);
    while (all && all->Step().value_or(false)) {
      rows.push_back({std::string(all->Bytes(0)), std::string(all->Bytes(1)),
                      std::string(all->Bytes(2)), std::nullopt});
      if (!all->IsNull(3)) rows.back().undeliverable = all->Bytes(3);
    }
    return rows;
  }

  void DrawUp() {
    if (!Open()) return;
    if (queue_->Stats().depth != 0) Fault("settled, and not on disk");
    const auto rows = Dump();
    std::set<std::string> stored, ids;
    for (const auto& uuid : broker_.stored()) {
      stored.emplace(uuid.bytes().begin(), uuid.bytes().end());
    }
    std::map<std::string, std::size_t> place;  // in the log
    for (const auto& row : rows) {
      if (!ids.insert(row.id).second) Fault(row.id + " is there twice");
      place.emplace(row.uuid, place.size());
      const std::string expected =
          row.fate.empty() ? "published" : (row.fate == "poison" ? "refused: mood" : row.fate);
      const std::string became = row.undeliverable.value_or("published");
      if (became != expected) Fault(row.id + ": " + became + " in place of " + expected);
      if (row.fate.empty() && !stored.contains(row.uuid)) Fault(row.id + " never arrived");
    }
    // What is gone was history, which has its limits and gives way on a full disk: it was
    // published, or discarded. The keys of clients go with it.
    std::map<std::string, std::string> sent;  // id -> uuid
    std::size_t last = 0;
    for (const auto& trigger : broker_.sent()) {
      const std::string uuid(trigger.uuid.bytes().begin(), trigger.uuid.bytes().end());
      const std::string id = IdIn(trigger.body);
      const bool forgotten = small_history_ && IsOfClient(id);
      if (const auto known = sent.emplace(id, uuid).first; known->second != uuid && !forgotten) {
        Fault(id + " was sent as two triggers");
      }
      const auto found = place.find(uuid);
      if (found == place.end()) {
        if (ids.contains(id) && !forgotten)
          Fault(id + " was sent as another trigger than the one on disk");
      } else if (found->second < last) {
        Fault("sent out of order: " + trigger.body);
      } else {
        last = found->second;
      }
    }
    for (int source = 0; source < kSources; ++source) {
      for (int n = 0; n < kEvents; ++n) {
        const auto id = IdOf(source, n);
        const bool arrived = sent.contains(id) && stored.contains(sent.at(id));
        const bool discarded = operated_ && sent.contains(id) && !IsDeliverable(EventOf(source, n));
        if (!ids.contains(id) && !arrived && !discarded) Fault(id + " was accepted and is gone");
      }
    }
  }

  static bool IsDeliverable(const Trigger& event) {
    return event.json().find(R"("fate":"")") != std::string_view::npos;
  }
  static bool IsOfClient(const std::string& id) { return id[1] - '0' < kClients; }
  // The value of "id" in a body that Event made.
  static std::string IdIn(const std::string& body) {
    constexpr std::string_view kMember = R"("id":")";
    const auto begin = body.find(kMember) + kMember.size();
    return body.substr(begin, body.find('"', begin) - begin);
  }

  Chance chance_;
  const TempDir folder_;
  FaultDisk disk_;
  RandomBroker broker_;
  Metrics metrics_;
  QueueOptions options_{.path = folder_ / "queue.db"};
  bool small_history_ = false, operated_ = false;
  std::vector<Trigger> events_;
  const std::string names_[kSources] = {NameOf(0), NameOf(1), NameOf(2), NameOf(3)};
  int next_[kSources] = {};  // each by the thread of its source
  std::atomic<int> accepted_{0};
  std::unique_ptr<TriggerQueue> queue_;
  std::string fault_;
};

}  // namespace

// SIMULATED_WORLDS=5000 for a long look; the usual number takes some ten seconds.
std::size_t Worlds() {
  const char* worlds = std::getenv("SIMULATED_WORLDS");
  return worlds != nullptr ? std::stoull(worlds) : 200;
}

TEST_CASE("whatever fails, all that was accepted is published or listed, once and in order",
          "[simulation]") {
  const CapturedLogs quiet;
  const auto seeds = Seeds(Worlds());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::map<std::uint64_t, std::string> faults;
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kSideBySide; ++thread) {
      threads.emplace_back([&] {
        for (std::size_t at = next++; at < seeds.size(); at = next++) {
          const auto fault = World(seeds[at]).Run();
          const std::lock_guard lock(mutex);
          if (!fault.empty()) faults.emplace(seeds[at], fault);
        }
      });
    }
  }
  for (const auto& [seed, fault] : faults) {
    CAPTURE(seed);
    FAIL_CHECK(fault);
  }
}

}  // namespace tower
