// A broker with moods, at the seam core/publish/broker.h: it confirms late, out of order, for
// several at once, refuses, returns, closes the channel, blocks and goes away, as its seed has it.
#ifndef TEST_SUPPORT_RANDOM_BROKER_H_
#define TEST_SUPPORT_RANDOM_BROKER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/base/wakeup.h"
#include "core/publish/broker.h"
#include "test/support/seeds.h"

namespace tower {

// The broker's side, which outlives its clients. Thread-safe. What a trigger's body contains
// decides on its fate: "unroutable" is returned, "poison" closes the channel (406), as RabbitMQ
// does with a message that is too large.
class RandomBroker {
 public:
  explicit RandomBroker(std::uint64_t seed) : chance_(seed) {}

  // For one client at a time.
  std::unique_ptr<Broker> Seam();
  // No more moods: it stays, takes all, and confirms at once.
  void Calm();

  // What was sent, in order of the first time; only what a client heard of is certain to have
  // arrived.
  std::vector<AcceptedTrigger> sent() const;
  // Stored: confirmed, and not returned.
  std::set<Uuid> stored() const;

 private:
  friend class RandomBrokerSeam;
  struct Unconfirmed {
    std::uint64_t tag = 0;
    AcceptedTrigger trigger;
  };
  bool Mood(int percent) { return !calm_ && chance_.Percent(percent); }
  void Start();
  void Confirm(const Unconfirmed& message, bool multiple, std::vector<BrokerEvent>& events);
  void Speak(std::vector<BrokerEvent>& events);

  mutable std::mutex mutex_;
  Chance chance_;
  bool calm_ = false, blocked_ = false;
  std::uint64_t next_tag_ = 1;
  std::vector<Unconfirmed> unconfirmed_;
  std::vector<AcceptedTrigger> sent_;
  std::set<Uuid> known_, stored_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_RANDOM_BROKER_H_
