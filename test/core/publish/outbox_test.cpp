#include "core/publish/outbox.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/support/seeds.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Numbers = std::vector<std::int64_t>;

Numbers From(std::int64_t first, std::int64_t last) {
  Numbers numbers;
  for (auto n = first; n <= last; ++n) numbers.push_back(n);
  return numbers;
}

// Does for an outbox what the publisher does: a queue with its file, tags, the time.
class Driver {
 public:
  explicit Driver(const OutboxOptions& options = {}) : outbox(options) {}

  // Accepts triggers; their sequence numbers count on from 1. The protocol is the routing key.
  void Push(int count, const std::string& protocol = "P", std::size_t body_size = 1) {
    for (int n = 0; n < count; ++n) {
      AcceptedTrigger trigger = Make(++last_seq_, protocol);
      trigger.body.assign(body_size, 'x');
      outbox.Push(std::move(trigger));
    }
  }

  // Pushes a trigger that was accepted before.
  void Redeliver(std::int64_t seq, const std::string& protocol = "P") {
    outbox.Push(Make(seq, protocol));
  }

  // Sends what the outbox wants to be sent from the log. Returns the numbers sent, in order.
  Numbers Send() {
    sent_.clear();
    if (!outbox.NeedsRefill()) return {};
    while (outbox.HasRoom() && outbox.has_waiting()) {
      if (outbox.DeferNext(now)) continue;
      OnSent(std::move(outbox.Next()));
      outbox.PopNext();
    }
    Settle();
    return sent_;
  }

  // The same for the deferred triggers that are due.
  Numbers SendDeferred() {
    sent_.clear();
    outbox.ForgetIdleKeys(now, [&](const std::string& routing_key, const RefusedKey&) {
      forgotten.push_back(routing_key);
    });
    CHECK(outbox.ForEachDueKey(now, [&](const std::string& routing_key, RefusedKey& key) {
      if (key.read_seq == 0) CHECK(key.required_settle >= settle_of_key_[routing_key]);
      Numbers read;
      for (const auto seq : deferred[routing_key]) {
        if (seq > key.read_seq && read.size() < key.Room()) read.push_back(seq);
      }
      if (read.empty()) key.RetryRead(now + kReadPause);
      for (const auto seq : read) {
        if (!outbox.HasRoom()) return Ok();
        key.OnSending(seq);
        OnSent({.trigger = Make(seq, routing_key.substr(kPrefix.size())), .deferred = true});
      }
      if (!read.empty()) key.EndRead();
      return Ok();
    }));
    return sent_;
  }

  void Confirm(std::uint64_t tag, bool multiple = false) {
    outbox.OnConfirmed(tag, multiple, now,
                       [&](const Outgoing& message) { acked.push_back(message.trigger.seq); });
    Settle();
  }
  std::size_t Refuse(std::uint64_t tag, bool multiple = false) {
    const auto count = outbox.OnRefused(tag, multiple, now, [&](const std::string& routing_key) {
      refused.push_back(routing_key);
    });
    Settle();
    return count;
  }
  void ConfirmAll() { Confirm(next_tag_ - 1, true); }
  void RefuseAll() { Refuse(next_tag_ - 1, true); }
  void LoseConnection() {
    next_tag_ = 1;
    outbox.OnConnectionLost(now);
    Settle();
  }
  // The sequence number of the message that was found to be at fault, and given up.
  std::optional<std::int64_t> CloseChannel() {
    next_tag_ = 1;
    const auto message = outbox.OnChannelClosed(now);
    if (!message) {
      Settle();
      return std::nullopt;
    }
    GiveUp(*message, "bad");
    return message->trigger.seq;
  }
  void GiveUp(const Outgoing& message, const std::string& reason) {
    outbox.GiveUp(message, reason, now);
    Settle();
  }

  std::uint64_t last_tag() const { return next_tag_ - 1; }
  std::int64_t last_seq() const { return last_seq_; }

  static constexpr milliseconds kReadPause{10};
  static constexpr std::string_view kPrefix = "T.";

  Outbox outbox;
  Outbox::Time now{std::chrono::hours(1)};
  Numbers acked;                                           // in the order of their confirms
  std::vector<std::string> refused, forgotten;             // routing keys
  Numbers published;                                       // in the order of their outcomes
  std::map<std::int64_t, std::string> undeliverable;       // with the reason
  std::map<std::string, std::set<std::int64_t>> deferred;  // by routing key

 private:
  static AcceptedTrigger Make(std::int64_t seq, const std::string& protocol) {
    AcceptedTrigger trigger;
    trigger.seq = seq;
    trigger.api_version = "T";
    trigger.protocol = protocol;
    return trigger;
  }

  void OnSent(Outgoing&& message) {
    sent_.push_back(message.trigger.seq);
    outbox.OnSent(next_tag_++, std::move(message), now);
  }

  void Settle() {
    if (outbox.outcomes().empty()) return;
    ++settles_;
    for (const Outcome& outcome : outbox.outcomes()) {
      if (outcome.fate == Fate::kDeferred) {
        deferred[outcome.reason].insert(outcome.seq);
        settle_of_key_[outcome.reason] = settles_;
        continue;
      }
      for (auto& [routing_key, seqs] : deferred) {
        if (seqs.erase(outcome.seq) > 0) settle_of_key_[routing_key] = settles_;
      }
      if (outcome.fate == Fate::kPublished) {
        published.push_back(outcome.seq);
      } else {
        CHECK(undeliverable.emplace(outcome.seq, outcome.reason).second);
      }
    }
    outbox.OnSettled(settles_);
    CHECK(outbox.outcomes().empty());
  }

  std::int64_t last_seq_ = 0;
  std::uint64_t next_tag_ = 1, settles_ = 0;
  std::map<std::string, std::uint64_t>
      settle_of_key_;  // the last call with a deferred trigger of it
  Numbers sent_;
};

TEST_CASE("messages are sent in the order of the log, at most a window of them", "[outbox]") {
  Driver driver({.window = 3});
  driver.Push(5);
  CHECK(driver.Send() == From(1, 3));
  CHECK_FALSE(driver.outbox.HasRoom());
  CHECK(driver.Send().empty());
  driver.Confirm(1);
  CHECK(driver.published == From(1, 1));
  CHECK(driver.Send() == From(4, 4));
  driver.ConfirmAll();
  CHECK(driver.Send() == From(5, 5));
  CHECK_FALSE(driver.outbox.empty());
  driver.ConfirmAll();
  CHECK(driver.outbox.empty());
  CHECK(driver.published == From(1, 5));
}

TEST_CASE("the window is refilled once a quarter of it is free", "[outbox]") {
  Driver driver({.window = 8});
  driver.Push(10);
  CHECK(driver.Send() == From(1, 8));
  driver.Confirm(1);
  CHECK(driver.outbox.HasRoom());
  CHECK_FALSE(driver.outbox.NeedsRefill());
  driver.Confirm(2);
  CHECK(driver.outbox.NeedsRefill());
  CHECK(driver.Send() == From(9, 10));
}

TEST_CASE("unconfirmed bodies are limited, but one message of any size is sent", "[outbox]") {
  Driver driver;
  driver.Push(1, "P", std::size_t{64} << 20);
  driver.Push(1);
  CHECK(driver.Send() == From(1, 1));
  CHECK_FALSE(driver.outbox.HasRoom());
  driver.Confirm(1);
  CHECK(driver.Send() == From(2, 2));
}

TEST_CASE("confirms come out of order and for several messages at once", "[outbox]") {
  Driver driver;
  driver.Push(10);
  driver.Send();
  driver.Confirm(7);
  driver.Confirm(3);
  CHECK(driver.outbox.unconfirmed() == 8);
  driver.Confirm(5, true);
  CHECK(driver.published == Numbers{7, 3, 1, 2, 4, 5});
  driver.Confirm(5, true);  // nothing new
  driver.Confirm(3);
  driver.Confirm(99);  // never sent
  CHECK(driver.outbox.unconfirmed() == 4);
  driver.Confirm(10, true);
  CHECK(driver.published == Numbers{7, 3, 1, 2, 4, 5, 6, 8, 9, 10});
  CHECK(driver.acked == driver.published);
  CHECK(driver.outbox.empty());
}

TEST_CASE("a returned message is undeliverable once it is confirmed", "[outbox]") {
  Driver driver;
  driver.Push(3);
  driver.Send();
  driver.outbox.OnReturned(2);
  driver.outbox.OnReturned(99);  // never sent
  CHECK(driver.undeliverable.empty());
  driver.Confirm(3, true);
  CHECK(driver.published == Numbers{1, 3});
  CHECK(driver.undeliverable == std::map<std::int64_t, std::string>{{2, "unroutable"}});
}

TEST_CASE("a return counts for its connection only", "[outbox]") {
  Driver driver;
  driver.Push(1);
  driver.Send();
  driver.outbox.OnReturned(1);
  driver.LoseConnection();
  driver.Send();
  driver.Confirm(1);
  CHECK(driver.published == From(1, 1));
}

TEST_CASE("a message that can't be sent is undeliverable, and the rest goes on", "[outbox]") {
  Driver driver;
  driver.Push(2);
  driver.GiveUp(driver.outbox.Next(), "invalid");
  driver.outbox.PopNext();
  CHECK(driver.undeliverable == std::map<std::int64_t, std::string>{{1, "invalid"}});
  CHECK(driver.Send() == From(2, 2));
}

TEST_CASE("a lost connection sends everything unconfirmed again, in order", "[outbox]") {
  Driver driver({.window = 6});
  driver.Push(8);
  CHECK(driver.Send() == From(1, 6));
  driver.Confirm(2, true);
  driver.Confirm(4);
  driver.LoseConnection();
  CHECK(driver.outbox.unconfirmed() == 0);
  CHECK(driver.Send() == Numbers{3, 5, 6, 7, 8});
  driver.ConfirmAll();
  CHECK(driver.published == Numbers{1, 2, 4, 3, 5, 6, 7, 8});
}

TEST_CASE("what is sent again goes in the order of acceptance, redelivered triggers included",
          "[outbox]") {
  Driver driver({.window = 3});
  driver.Push(4);
  driver.Send();
  driver.ConfirmAll();
  driver.Push(2);
  CHECK(driver.Send() == From(4, 6));
  driver.Redeliver(2);
  driver.Push(1);
  driver.LoseConnection();
  CHECK(driver.Send() == Numbers{2, 4, 5});
  driver.ConfirmAll();
  CHECK(driver.Send() == From(6, 7));
}

TEST_CASE("a refused routing key waits, and others go on", "[outbox]") {
  Driver driver;
  driver.Push(1, "P");
  driver.Push(1, "Q");
  driver.Push(1, "P");
  CHECK(driver.Send() == From(1, 3));
  CHECK(driver.Refuse(1) == 1);
  CHECK(driver.refused == std::vector<std::string>{"T.P"});
  driver.Confirm(2);
  driver.Push(1, "P");
  driver.Push(1, "Q");
  CHECK(driver.Send() == From(5, 5));
  CHECK(driver.deferred["T.P"] == std::set<std::int64_t>{1, 4});
  driver.now += seconds(1);
  CHECK(driver.SendDeferred().empty());  // 3 is still in flight
  CHECK(driver.Refuse(3) == 1);
  driver.Confirm(4);
  CHECK(driver.published == Numbers{2, 5});
  CHECK(driver.refused.size() == 1);  // it was refused already

  // 1 and 3 were in flight together: their pause is over.
  for (const std::int64_t seq : {1, 3, 4}) {
    CHECK(driver.SendDeferred() == From(seq, seq));
    CHECK(driver.SendDeferred().empty());  // one at a time
    driver.ConfirmAll();
  }
  CHECK(driver.published == Numbers{2, 5, 1, 3, 4});
  CHECK(driver.SendDeferred().empty());
  CHECK(driver.outbox.refused_keys().deferred() == 0);
}

TEST_CASE("a refusal of several messages defers each to its own routing key", "[outbox]") {
  Driver driver;
  driver.Push(2, "P");
  driver.Push(2, "Q");
  driver.Push(1, "R");
  driver.Send();
  driver.Confirm(2);
  CHECK(driver.Refuse(4, true) == 3);
  CHECK(driver.refused == std::vector<std::string>{"T.P", "T.Q"});
  CHECK(driver.deferred["T.P"] == std::set<std::int64_t>{1});
  CHECK(driver.deferred["T.Q"] == std::set<std::int64_t>{3, 4});
  driver.Confirm(5);
  driver.now += seconds(1);
  CHECK(driver.SendDeferred().size() == 2);  // one of each key
}

TEST_CASE("a deferred trigger is tried again after a pause that doubles", "[outbox]") {
  Driver driver;
  driver.Push(3);
  driver.Send();
  driver.RefuseAll();  // three messages that were in flight together: one pause
  for (const int pause_ms : {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
    CAPTURE(pause_ms);
    CHECK(driver.SendDeferred().empty());
    CHECK(driver.outbox.due() == driver.now + milliseconds(pause_ms));
    driver.now += milliseconds(pause_ms - 1);
    CHECK(driver.SendDeferred().empty());
    driver.now += milliseconds(1);
    CHECK(driver.SendDeferred() == From(1, 1));
    CHECK(driver.outbox.due() == Outbox::Time::max());  // until the answer
    driver.RefuseAll();
  }
  CHECK(driver.outbox.refused_keys().deferred() == 3);
  driver.now += seconds(5);
  driver.SendDeferred();
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(2, 2));
  driver.RefuseAll();
  CHECK(driver.SendDeferred().empty());
  CHECK(driver.outbox.due() == driver.now + milliseconds(100));  // a confirm starts again
}

TEST_CASE("more messages of a key are in flight once it was not refused for a while", "[outbox]") {
  Driver driver({.window = 8, .refused = {.cooldown = seconds(10)}});
  driver.Push(8);
  driver.Send();
  driver.RefuseAll();
  const auto refused_at = driver.now;
  driver.Push(22);
  driver.Send();
  CHECK(driver.deferred["T.P"].size() == 30);
  driver.now = refused_at + seconds(10) - milliseconds(1);
  for (const std::int64_t seq : {1, 2, 3}) {
    CHECK(driver.SendDeferred() == From(seq, seq));
    driver.ConfirmAll();
  }
  driver.now = refused_at + seconds(10);
  CHECK(driver.SendDeferred() == From(4, 4));
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(5, 6));
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(7, 10));
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(11, 14));  // half of the window
  driver.Confirm(driver.last_tag() - 3);
  CHECK(driver.SendDeferred() == From(15, 15));
  driver.RefuseAll();
  driver.now += seconds(1);
  CHECK(driver.SendDeferred() == From(12, 12));  // from the oldest on, one at a time
}

TEST_CASE("deferred triggers wait for room in the window", "[outbox]") {
  Driver driver({.window = 1});
  driver.Push(1, "P");
  driver.Send();
  driver.RefuseAll();
  driver.Push(1, "Q");
  CHECK(driver.Send() == From(2, 2));
  driver.now += seconds(1);
  CHECK(driver.SendDeferred().empty());
  CHECK(driver.outbox.due() <= driver.now);
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(1, 1));
}

TEST_CASE("a routing key is forgotten when nothing waits and it was not refused for a while",
          "[outbox]") {
  Driver driver({.refused = {.cooldown = seconds(10)}});
  driver.Push(1);
  driver.Send();
  driver.RefuseAll();
  const auto refused_at = driver.now;
  driver.now += milliseconds(100);
  driver.SendDeferred();
  driver.ConfirmAll();
  driver.SendDeferred();
  CHECK(driver.outbox.due() == refused_at + seconds(10));
  driver.Push(1);
  CHECK(driver.Send().empty());
  CHECK(driver.SendDeferred() == From(2, 2));
  driver.now = refused_at + seconds(10);
  driver.SendDeferred();
  CHECK(driver.forgotten.empty());  // 2 is in flight
  driver.ConfirmAll();
  driver.SendDeferred();
  CHECK(driver.forgotten == std::vector<std::string>{"T.P"});
  CHECK(driver.outbox.refused_keys().empty());
  CHECK(driver.outbox.due() == Outbox::Time::max());
  driver.Push(1);
  CHECK(driver.Send() == From(3, 3));
}

TEST_CASE("triggers that the last process left deferred come before the log", "[outbox]") {
  Driver driver;
  driver.deferred["T.P"] = {1, 2};
  driver.outbox.AddDeferred("T.P", 2, driver.now);
  driver.Push(2, "Q");
  driver.Push(1, "P");
  CHECK(driver.Send() == From(1, 2));  // those of Q
  CHECK(driver.deferred["T.P"] == std::set<std::int64_t>{1, 2, 3});
  CHECK(driver.outbox.refused_keys().deferred() == 3);
  driver.ConfirmAll();
}

TEST_CASE("deferred triggers that can't be read yet are read again from the oldest on",
          "[outbox]") {
  Driver driver;
  driver.outbox.AddDeferred("T.P", 2, driver.now);
  CHECK(driver.SendDeferred().empty());
  CHECK(driver.outbox.due() == driver.now + Driver::kReadPause);
  driver.deferred["T.P"] = {5, 6};
  driver.now += Driver::kReadPause;
  CHECK(driver.SendDeferred() == From(5, 5));
  driver.deferred["T.P"].insert(1);  // redelivered: it stands before those that were read
  driver.outbox.AddDeferred("T.P", 1, driver.now);
  driver.ConfirmAll();
  CHECK(driver.SendDeferred() == From(6, 6));
  driver.ConfirmAll();
  CHECK(driver.SendDeferred().empty());
  driver.now += Driver::kReadPause;
  CHECK(driver.SendDeferred() == From(1, 1));
}

TEST_CASE("a lost connection keeps a refused routing key in order", "[outbox]") {
  Driver driver;
  driver.Push(3, "P");
  driver.Push(1, "Q");
  driver.Send();
  driver.Refuse(1);
  driver.LoseConnection();
  CHECK(driver.deferred["T.P"] == std::set<std::int64_t>{1, 2, 3});
  CHECK(driver.Send() == From(4, 4));
  CHECK(driver.SendDeferred() == From(1, 1));
  driver.LoseConnection();  // 1 is deferred already and stays so
  CHECK(driver.outbox.refused_keys().deferred() == 3);
  CHECK(driver.Send() == From(4, 4));
  for (const std::int64_t seq : {1, 2, 3}) {
    CHECK(driver.SendDeferred() == From(seq, seq));
    driver.ConfirmAll();
  }
  CHECK(driver.published == Numbers{4, 1, 2, 3});
}

TEST_CASE("a closed channel halves the window until the bad message is alone", "[outbox]") {
  Driver driver;
  driver.Push(10);
  CHECK(driver.Send() == From(1, 10));
  CHECK(driver.CloseChannel() == std::nullopt);
  CHECK(driver.Send() == From(1, 5));
  CHECK(driver.CloseChannel() == std::nullopt);
  CHECK(driver.Send() == From(1, 2));
  driver.Confirm(2, true);
  CHECK(driver.Send() == From(3, 6));  // each confirm raised the limit by one
  CHECK(driver.CloseChannel() == std::nullopt);
  CHECK(driver.Send() == From(3, 4));
  CHECK(driver.CloseChannel() == std::nullopt);
  CHECK(driver.Send() == From(3, 3));
  CHECK(driver.CloseChannel() == 3);
  CHECK(driver.undeliverable == std::map<std::int64_t, std::string>{{3, "bad"}});
  for (std::int64_t seq = 4; seq <= 10;) {
    const auto sent = driver.Send();
    REQUIRE_FALSE(sent.empty());
    CHECK(sent == From(seq, sent.back()));
    seq = sent.back() + 1;
    driver.ConfirmAll();
  }
  CHECK(driver.outbox.empty());
  CHECK(driver.published == Numbers{1, 2, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("one bad message among thousands is found in a few closed channels", "[outbox]") {
  for (const std::int64_t bad : {1, 2, 499, 700, 1000, 3000}) {
    CAPTURE(bad);
    Driver driver;
    driver.Push(3000);
    int closed = 0;
    while (!driver.outbox.empty()) {
      const auto sent = driver.Send();
      REQUIRE_FALSE(sent.empty());
      if (std::find(sent.begin(), sent.end(), bad) == sent.end()) {
        driver.ConfirmAll();
        continue;
      }
      REQUIRE(++closed <= 20);
      if (const auto found = driver.CloseChannel(); found) CHECK(found == bad);
    }
    auto expected = From(1, 3000);
    std::erase(expected, bad);
    CHECK(driver.published == expected);
    CHECK(driver.undeliverable == std::map<std::int64_t, std::string>{{bad, "bad"}});
  }
}

TEST_CASE("a deferred message that closes the channel is found, and its key goes on", "[outbox]") {
  Driver driver;
  driver.Push(2, "P");
  driver.Push(1, "Q");
  driver.Send();
  driver.Refuse(2, true);
  driver.now += milliseconds(100);
  CHECK(driver.SendDeferred() == From(1, 1));
  CHECK(driver.CloseChannel() == std::nullopt);  // 1 or 3
  CHECK(driver.SendDeferred() == From(1, 1));
  CHECK(driver.Send().empty());
  CHECK(driver.CloseChannel() == 1);
  CHECK(driver.outbox.refused_keys().deferred() == 1);
  CHECK(driver.SendDeferred() == From(2, 2));
  driver.ConfirmAll();
  CHECK(driver.Send() == From(3, 3));
  driver.ConfirmAll();
  CHECK(driver.published == Numbers{2, 3});
}

TEST_CASE("a broker that answers nothing for the confirm timeout is silent", "[outbox]") {
  using Progress = Outbox::Progress;
  Driver driver({.confirm_timeout = seconds(60)});
  driver.outbox.StartTimeouts(driver.now);
  driver.now += seconds(100);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kOk);  // nothing is unconfirmed
  driver.Push(3);
  driver.Send();
  driver.now += seconds(60);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kOk);
  driver.Confirm(1);
  driver.now += seconds(60);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kOk);
  driver.Refuse(2);
  driver.now += seconds(60);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kRefused);  // not silent
  driver.now += milliseconds(1);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kSilent);
  driver.outbox.StartTimeouts(driver.now);  // after an alarm
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kOk);
}

TEST_CASE("a broker that refuses everything is left after a timeout that doubles", "[outbox]") {
  using Progress = Outbox::Progress;
  Driver driver({.confirm_timeout = seconds(60)});
  driver.Push(1, "P");
  driver.Send();
  driver.RefuseAll();
  for (const int timeout_s : {60, 120, 240, 480, 960, 1920, 3600, 3600}) {
    CAPTURE(timeout_s);
    driver.outbox.StartTimeouts(driver.now);
    driver.now += seconds(timeout_s);
    CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kOk);
    driver.now += milliseconds(1);
    CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kRefused);
    driver.LoseConnection();
  }
  driver.Push(1, "Q");
  driver.Send();
  driver.ConfirmAll();
  driver.now += seconds(60) + milliseconds(1);
  CHECK(driver.outbox.CheckProgress(driver.now) == Progress::kRefused);  // a confirm starts again
}

// A broker with two routing keys that are refused at times, bad and unroutable messages, lost
// connections. A routing key begins to be refused, or ends, only while none of its messages is in
// flight: then the order of a key is strict.
class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : chance_(seed),
        driver_({.window = chance_.Pick(1, 12),
                 .refused = {.pause_min = milliseconds(2),
                             .pause_max = milliseconds(8),
                             .cooldown = milliseconds(20)}}) {}

  void Run() {
    for (int round = 0; round < 200; ++round) Round(false);
    for (int round = 0; round < 2000 && !Drained(); ++round) Round(true);
    CHECK(Drained());
    const auto seqs = static_cast<std::size_t>(driver_.last_seq());
    CHECK(driver_.published.size() + driver_.undeliverable.size() == seqs);
    for (const auto& [seq, reason] : driver_.undeliverable) {
      CHECK(reason == (IsBad(seq) ? "bad" : "unroutable"));
    }
    for (const auto& seqs_of_key : stored_) {
      CHECK(std::is_sorted(seqs_of_key.begin(), seqs_of_key.end()));
    }
  }

 private:
  static constexpr int kKeys = 3;

  static bool IsBad(std::int64_t seq) { return seq % 37 == 0; }
  static bool IsUnroutable(std::int64_t seq) { return seq % 23 == 0 && !IsBad(seq); }

  bool Drained() const {
    return driver_.outbox.empty() && driver_.outbox.refused_keys().deferred() == 0;
  }

  // In the last rounds nothing new comes and the broker takes everything.
  void Round(bool last) {
    driver_.now += milliseconds(chance_.Pick(0, 3));
    for (int key = 0; key < kKeys; ++key) {
      if (!last && chance_.Percent(30)) Push(key, chance_.Pick(1, 4));
      if (key > 0 && InFlight(key) == 0 && (last || chance_.Percent(10))) {
        refusing_[key] = !last && !refusing_[key];
      }
    }
    if (chance_.Percent(50)) Record(driver_.SendDeferred());
    Record(driver_.Send());
    Record(driver_.SendDeferred());
    Answer(last);
    if (!last && chance_.Percent(5)) {
      // Some messages have arrived, and their confirms are lost.
      for (const auto& [tag, seq] : in_flight_) {
        if (IsBad(seq) || chance_.Percent(20)) break;
        Store(seq);
      }
      in_flight_.clear();
      driver_.LoseConnection();
    }
  }

  void Push(int key, int count) {
    driver_.Push(count, std::to_string(key));
    while (count-- > 0) keys_.push_back(key);
  }
  int KeyOf(std::int64_t seq) const { return keys_[static_cast<std::size_t>(seq - 1)]; }
  std::ptrdiff_t InFlight(int key) const {
    return std::count_if(in_flight_.begin(), in_flight_.end(),
                         [&](const auto& sent) { return KeyOf(sent.second) == key; });
  }
  void Record(const Numbers& sent) {
    auto tag = driver_.last_tag() - sent.size();
    for (const auto seq : sent) in_flight_.emplace(++tag, seq);
  }

  void Store(std::int64_t seq) {
    if (refusing_[KeyOf(seq)] || IsUnroutable(seq)) return;
    if (known_.insert(seq).second) stored_[KeyOf(seq)].push_back(seq);
  }

  // The messages up to a bad one are answered, or some of them; then the channel closes.
  void Answer(bool last) {
    while (!in_flight_.empty() && (last || chance_.Percent(70))) {
      const auto [tag, seq] = *in_flight_.begin();
      if (IsBad(seq)) {
        in_flight_.clear();
        driver_.CloseChannel();
        return;
      }
      in_flight_.erase(in_flight_.begin());
      if (refusing_[KeyOf(seq)]) {
        driver_.Refuse(tag);
        continue;
      }
      if (IsUnroutable(seq)) driver_.outbox.OnReturned(tag);
      Store(seq);
      driver_.Confirm(tag);
    }
  }

  Chance chance_;
  Driver driver_;
  std::vector<int> keys_;  // by sequence number
  std::map<std::uint64_t, std::int64_t> in_flight_;
  bool refusing_[kKeys] = {};
  std::set<std::int64_t> known_;
  Numbers stored_[kKeys];  // at the broker, in the order of arrival
};

TEST_CASE("whatever the broker does, each key is published once and in order", "[outbox]") {
  for (const auto seed : Seeds(100)) {
    CAPTURE(seed);
    RandomRun(seed).Run();
  }
}

}  // namespace
}  // namespace tower
