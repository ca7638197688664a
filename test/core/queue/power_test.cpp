// Power loss: whatever moment it picks, the queue keeps what the contract says.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/queue/queue.h"
#include "core/queue/sqlite.h"
#include "test/support/fault_vfs.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

constexpr int kSources = 3;
constexpr int kLives = 4;

std::string NameOf(int source) { return "s" + std::to_string(source); }

// Trigger `i` of the `of` that the n-th put of a source brings.
std::string Spec(int n, int i, int of) {
  return R"("n":)" + std::to_string(n) + R"(,"i":)" + std::to_string(i) + R"(,"of":)" +
         std::to_string(of) + ",";
}

std::vector<Trigger> Batch(int n, int of, int padding) {
  std::vector<Trigger> batch;
  for (int i = 0; i < of; ++i) {
    batch.push_back(*Trigger::Parse(
        R"({"apiVersion":"A/v1","protocol":"P","spec":{)" + Spec(n, i, of) + R"("pad":")" +
        std::string(static_cast<std::size_t>(padding), 'x') + R"("}})"));
  }
  return batch;
}

// What one source has put.
struct Call {
  std::vector<Trigger> batch;
  std::string key;
  std::vector<Uuid> uuids;  // of the receipt
  bool acknowledged = false;
};

struct Row {
  std::int64_t seq = 0;
  std::string uuid, source, body;
};

// One file through several lives, all but the last ended by a power loss or by a stop.
class World {
 public:
  explicit World(std::uint64_t seed) : chance_(seed), disk_(folder_.path(), seed) {
    if (chance_.Percent(70)) disk_.CheckpointEvery(chance_.Pick(1, 40));
    if (chance_.Percent(40)) options_.max_history = chance_.Pick(0, 30);
    calls_.resize(kSources);
  }

  void Run() {
    for (int life = 0; life < kLives; ++life) {
      if (life > 0 || chance_.Percent(50)) PlanPowerCut();
      if (Open()) Live();
      if (chance_.Percent(50)) disk_.CutPower();
      queue_.reset();
      if (!disk_.powered() || chance_.Percent(80)) {
        disk_.RestorePower(chance_.Percent(30) ? FaultDisk::Loss::kAll : FaultDisk::Loss::kSome);
      }
    }
    disk_.RestorePower(FaultDisk::Loss::kAll);
    REQUIRE(Open());
    SettleAll();
    queue_.reset();
    REQUIRE(Open());
    CHECK(queue_->Stats().depth == 0);
  }

 private:
  void PlanPowerCut() {
    if (chance_.Percent(90)) disk_.CutPowerAfter(static_cast<std::uint64_t>(chance_.Pick(0, 700)));
  }

  // Opens the file and compares what it holds with what was promised. False: the power went.
  bool Open() {
    auto opened = TriggerQueue::Open(options_, {}, metrics_);
    if (!opened) {
      CAPTURE(opened.error().message);
      REQUIRE_FALSE(disk_.powered());
      return false;
    }
    queue_ = std::move(*opened);
    return Verify();
  }

  bool Verify() {
    std::vector<Row> rows;
    std::set<std::int64_t> listed;
    if (!Dump(rows, listed)) {
      REQUIRE_FALSE(disk_.powered());
      return false;
    }
    INFO("cursor " << cursor_ << ", trimmed " << trimmed_ << ", rows " << rows.size());
    std::set<std::string> kept;
    for (const auto& row : rows) kept.insert(row.uuid);
    std::erase_if(rows, [&](const Row& row) {
      if (row.seq > trimmed_) return false;
      CHECK(listed.contains(row.seq));
      return true;
    });
    VerifyCursor(rows, listed);
    if (!VerifyTaken(rows, listed)) return false;
    for (int source = 0; source < kSources; ++source) {
      if (!VerifySource(source, rows, kept)) return false;
    }
    return true;
  }

  // Reads the file through a connection of its own.
  bool Dump(std::vector<Row>& rows, std::set<std::int64_t>& listed) {
    auto database = Database::Open(options_.path, Database::Access::kReadOnly);
    if (!database) return false;
    auto triggers = database->Prepare(
        "SELECT t.seq, t.uuid, s.name, t.body FROM triggers t JOIN sources s ON s.id = t.source"
        " ORDER BY t.seq");
    auto undeliverable = database->Prepare("SELECT seq FROM undeliverable");
    auto state = database->Prepare("SELECT cursor, trimmed FROM state");
    if (!triggers || !undeliverable || !state || !state->Step().value_or(false)) return false;
    cursor_ = state->Int(0);
    trimmed_ = state->Int(1);
    Result<bool> more = false;
    while ((more = triggers->Step()) && *more) {
      rows.push_back({triggers->Int(0), std::string(triggers->Bytes(1)),
                      std::string(triggers->Bytes(2)), std::string(triggers->Bytes(3))});
    }
    Result<bool> more_listed = false;
    while ((more_listed = undeliverable->Step()) && *more_listed) {
      listed.insert(undeliverable->Int(0));
    }
    return more && more_listed;
  }

  void VerifyCursor(const std::vector<Row>& rows, const std::set<std::int64_t>& listed) {
    CHECK(trimmed_ <= cursor_);
    std::int64_t expected = trimmed_;
    for (const auto& row : rows) REQUIRE(row.seq == ++expected);
    for (std::int64_t seq = 1; seq <= cursor_; ++seq) {
      const auto outcome = settled_.find(seq);
      REQUIRE(outcome != settled_.end());
      REQUIRE(listed.contains(seq) == !outcome->second);
    }
    for (const auto seq : listed) REQUIRE_FALSE(settled_.at(seq));
    for (const auto& row : rows) {
      if (auto known = uuids_.emplace(row.seq, row.uuid); settled_.contains(row.seq)) {
        REQUIRE(known.first->second == row.uuid);
      }
    }
  }

  // The consumer is given everything behind the cursor, in order.
  bool VerifyTaken(const std::vector<Row>& rows, const std::set<std::int64_t>& listed) {
    outstanding_.clear();
    while (true) {
      auto taken = queue_->TryTake(7);
      if (!taken) {
        REQUIRE_FALSE(disk_.powered());
        return false;
      }
      if (taken->empty()) break;
      for (const auto& each : *taken) outstanding_.push_back(each.seq);
    }
    std::vector<std::int64_t> expected;
    for (const auto& row : rows) {
      if (row.seq > cursor_ && !listed.contains(row.seq)) expected.push_back(row.seq);
    }
    REQUIRE(outstanding_ == expected);
    return true;
  }

  // Every put that returned is there, in order and whole; of the one under way all or nothing; keys
  // and checkpoint go with it.
  bool VerifySource(int source, const std::vector<Row>& rows, const std::set<std::string>& kept) {
    auto& calls = calls_[static_cast<std::size_t>(source)];
    auto checkpoint = queue_->Checkpoint(NameOf(source), "at");
    if (!checkpoint) {
      REQUIRE_FALSE(disk_.powered());
      return false;
    }
    const auto stored = static_cast<std::size_t>(std::stoi(checkpoint->value_or("0")));
    CAPTURE(source, stored, calls.size());
    REQUIRE(stored <= calls.size());
    for (std::size_t n = 0; n < calls.size(); ++n) REQUIRE((n < stored || !calls[n].acknowledged));
    std::vector<const Row*> mine;
    for (const auto& row : rows) {
      if (row.source == NameOf(source)) mine.push_back(&row);
    }
    // Backwards, since the oldest may have been trimmed.
    std::size_t at = mine.size();
    for (std::size_t n = stored; n > 0 && at > 0; --n) {
      const auto of = calls[n - 1].batch.size();
      for (std::size_t i = of; i > 0 && at > 0; --i) {
        const Row& row = *mine[--at];
        const auto spec = Spec(static_cast<int>(n), static_cast<int>(i - 1), static_cast<int>(of));
        REQUIRE(row.body.find(spec) != std::string::npos);
        if (!calls[n - 1].uuids.empty()) REQUIRE(BytesOf(calls[n - 1].uuids[i - 1]) == row.uuid);
      }
      if (trimmed_ == 0) REQUIRE(calls[n - 1].batch.size() <= mine.size());
    }
    REQUIRE(at == 0);
    if (trimmed_ == 0) {
      for (std::size_t n = 0; n < stored; ++n) {
        for (const auto& uuid : calls[n].uuids) REQUIRE(kept.contains(BytesOf(uuid)));
      }
    }
    return RepeatLast(source, stored);
  }

  // The put that the power cut short is tried again, as a client would, and the last one that was
  // acknowledged as well.
  bool RepeatLast(int source, std::size_t stored) {
    auto& calls = calls_[static_cast<std::size_t>(source)];
    const std::size_t from = stored > 0 ? stored - 1 : 0;
    for (std::size_t n = from; n < calls.size(); ++n) {
      auto& call = calls[n];
      if ((call.key.empty() || trimmed_ > 0) && n < stored) {
        call.acknowledged = true;  // the checkpoint says so, which is what a watcher goes by
        continue;
      }
      const auto again = PutOnce(*queue_, source, call, static_cast<int>(n + 1));
      if (!again) {
        REQUIRE_FALSE(disk_.powered());
        return false;
      }
      if (trimmed_ == 0) REQUIRE(again->repeated == (n < stored));
      if (call.acknowledged && again->repeated) REQUIRE(again->uuids == call.uuids);
      if (again->repeated || n >= stored) call.uuids = again->uuids;
      call.acknowledged = true;
      if (n >= stored) TakeBehind();
    }
    return true;
  }

  void TakeBehind() {
    auto taken = queue_->TryTake(100);
    if (!taken) return;
    for (const auto& each : *taken) outstanding_.push_back(each.seq);
  }

  static std::string BytesOf(const Uuid& uuid) {
    return {uuid.bytes().begin(), uuid.bytes().end()};
  }

  static Result<Receipt> PutOnce(TriggerQueue& queue, int source, const Call& call, int n) {
    const std::vector<CheckpointChange> at = {{"at", std::to_string(n)}};
    return queue.Put(call.batch, {.source = NameOf(source), .key = call.key, .checkpoints = at});
  }

  // Sources put and the consumer settles, until the power goes or all is put.
  void Live() {
    const int puts = chance_.Pick(1, 15);
    std::jthread consumer([this, seed = chance_.Seed()](const std::stop_token& stop) {
      Consume(stop, Chance(seed));
    });
    std::vector<std::jthread> sources;
    for (int source = 0; source < kSources; ++source) {
      sources.emplace_back([this, source, puts, seed = chance_.Seed()] {
        Chance chance(seed);
        auto& calls = calls_[static_cast<std::size_t>(source)];
        for (int put = 0; put < puts; ++put) {
          const int n = static_cast<int>(calls.size()) + 1;
          const int of = chance.Percent(70) ? 1 : chance.Pick(2, 6);
          calls.push_back({Batch(n, of, chance.Percent(80) ? 10 : chance.Pick(1, 9000)),
                           n % 2 == 0 ? "key" + std::to_string(n) : "",
                           {}});
          auto receipt = PutOnce(*queue_, source, calls.back(), n);
          if (!receipt) return;
          calls.back().uuids = receipt->uuids;
          calls.back().acknowledged = true;
        }
      });
    }
  }

  void Consume(const std::stop_token& stop, Chance chance) {
    while (!stop.stop_requested()) {
      auto taken = queue_->Take(static_cast<std::size_t>(chance.Pick(1, 10)), stop);
      if (!taken) return;
      for (const auto& each : *taken) outstanding_.push_back(each.seq);
      std::vector<Outcome> outcomes;
      for (int some = chance.Pick(0, 12); some > 0 && !outstanding_.empty(); --some) {
        const int last = static_cast<int>(outstanding_.size()) - 1;
        const auto which = outstanding_.begin() + (chance.Percent(70) ? 0 : chance.Pick(0, last));
        const bool published = !chance.Percent(10) && !IsListed(*which);
        settled_[*which] = published;
        outcomes.push_back({.seq = *which,
                            .fate = published ? Fate::kPublished : Fate::kUndeliverable,
                            .reason = "x"});
        outstanding_.erase(which);
      }
      queue_->Settle(outcomes);
    }
  }

  // An outcome once given may be on disk: what is taken again ends in the same way.
  bool IsListed(std::int64_t seq) const {
    const auto before = settled_.find(seq);
    return before != settled_.end() && !before->second;
  }

  void SettleAll() {
    std::vector<Outcome> outcomes;
    for (const auto seq : outstanding_) {
      settled_[seq] = !IsListed(seq);
      outcomes.push_back({.seq = seq,
                          .fate = settled_[seq] ? Fate::kPublished : Fate::kUndeliverable,
                          .reason = "x"});
    }
    queue_->Settle(outcomes);
  }

  Chance chance_;
  const TempDir folder_;
  FaultDisk disk_;
  Metrics metrics_;
  QueueOptions options_{.path = folder_ / "queue.db"};
  std::vector<std::vector<Call>> calls_;       // each by the thread of its source
  std::vector<std::int64_t> outstanding_;      // taken, not settled; the consumer's
  std::map<std::int64_t, bool> settled_;       // whether published; the consumer's
  std::map<std::int64_t, std::string> uuids_;  // of every seq that was seen on disk
  std::int64_t cursor_ = 0, trimmed_ = 0;      // on disk
  std::unique_ptr<TriggerQueue> queue_;
};

}  // namespace

TEST_CASE("after a power loss the queue holds what it promised", "[queue][power]") {
  const CapturedLogs quiet;
  for (const auto seed : Seeds(300)) {
    CAPTURE(seed);
    World(seed).Run();
  }
}

}  // namespace tower
