// Puts the triggers of deliveries, and acknowledges or rejects the messages.
#ifndef PLUGINS_AMQP_INTAKE_H_
#define PLUGINS_AMQP_INTAKE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/amqp/consumer.h"
#include "core/watch/mapping.h"
#include "core/watch/watcher.h"

namespace tower::amqp {

struct IntakeOptions {
  std::size_t max_size = 0;  // bytes of a body
  bool drop = false;         // invalid messages are acked instead of rejected
};

// The work on one connection. Triggers go to the queue in the order of their messages, each message
// under a key of its own, and share the queue's commits. A message is acked once its triggers are
// on disk. While the queue is full, messages wait here, unacked, at most `prefetch` of them.
class Intake {
 public:
  // An open consumer, and a mapping that was loaded; both outlive this.
  Intake(WatcherContext& tower, AmqpConsumer& consumer, Mapping& mapping,
         const IntakeOptions& options);
  ~Intake();

  // Runs until stop is requested, and then for at most half a second until submitted messages are
  // on disk and acked. After an error, the broker delivers unacked messages again.
  Status Run(const std::stop_token& stop);

 private:
  enum class State { kWaiting, kSubmitted, kDone, kRefused };
  // A message that is neither acked nor rejected.
  struct Message {
    std::uint64_t tag = 0;
    State state = State::kWaiting;
    std::string name, routing_key, key, fingerprint;
    std::vector<Trigger> triggers;
  };
  struct Answers;  // shared with the queue's writer

  Status Step(bool taking);
  void Take(AmqpDelivery& delivery);
  void Refuse(Message& message, std::string_view why);
  void SubmitWaiting();
  void Submit(std::size_t index);
  Status Collect();
  Status Settle();

  WatcherContext& tower_;
  AmqpConsumer& consumer_;
  Mapping& mapping_;
  const IntakeOptions options_;
  const std::shared_ptr<Answers> answers_;
  JsonTape tape_;
  std::deque<AmqpDelivery> deliveries_;  // to be taken
  std::deque<Message> messages_;         // in the order of delivery
  std::uint64_t first_ = 0;    // the number of messages_.front(), counted over the connection
  std::size_t next_ = 0;       // of messages_, to be submitted
  std::size_t submitted_ = 0;  // of messages_ are in that state
  std::chrono::steady_clock::time_point retry_at_{};  // of a queue that was full
};

}  // namespace tower::amqp

#endif  // PLUGINS_AMQP_INTAKE_H_
